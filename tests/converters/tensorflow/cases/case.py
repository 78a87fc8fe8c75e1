"""What a case is, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray
Inputs = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """What makes a model (of Keras, or a `tf.Module` with a signature), and what it is asked.

    `example`: what it is exported with; `further`: what shows a wrong graph. `refused`: words of the refusal where no
    faithful graph exists; without them the answers must be right. `raises`: the model refuses some of `further`.
    """

    name: str
    made: Callable[[], Any]
    example: Inputs
    further: tuple[Inputs, ...]
    refused: str = ""


CASES: dict[str, Case] = {}


def case(
    example: Inputs, *further: Inputs, refused: str = "", rows: bool = True
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """A decorator that puts a function on the list. `rows`: also asked without rows, and with one."""

    def put(made: Callable[[], Any]) -> Callable[[], Any]:
        assert made.__name__ not in CASES, made.__name__
        fewer = [{n: np.asarray(v)[:count] for n, v in example.items()} for count in (1, 0)] if rows else []
        CASES[made.__name__] = Case(made.__name__, made, example, (*further, *fewer), refused)
        return made

    return put


_NUMBERS = np.random.default_rng(16)
NAN, INF = float("nan"), float("inf")


def normal(*shape: int, dtype: str = "float32") -> Array:
    """Random numbers, the same in every run."""
    return _NUMBERS.normal(size=shape).astype(dtype)


def whole(low: int, high: int, *shape: int, dtype: str = "int64") -> Array:
    """Random whole numbers from `low` to below `high`."""
    return _NUMBERS.integers(low, high, shape).astype(dtype)


def texts(*words: str) -> Array:
    """A column of texts."""
    return np.array(words, object).reshape(-1, 1)


def odd(*shape: int) -> Array:
    """Numbers at which operators disagree."""
    values = np.array([NAN, INF, -INF, 0.0, -0.0, 1.5, -2.5, 1e30], "float32")
    return np.resize(values, shape)
