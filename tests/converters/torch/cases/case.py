"""What a case is, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

Axis = "str | tuple[str, int, int | None]"
"""The name of a free axis, or its name and bounds."""


@dataclass(frozen=True)
class Case:
    """A module in eval mode with what it takes.

    `axes`: per input, the free axes by number. `example`: what it is exported with; `further`: what shows a wrong
    graph. `refused`: words of the refusal where no faithful graph exists; without them the answers must be right.
    """

    name: str
    module: Callable[[], nn.Module]
    example: tuple[torch.Tensor, ...]
    axes: tuple[dict[int, Axis], ...]
    further: tuple[tuple[torch.Tensor, ...], ...]
    refused: str = ""


CASES: dict[str, Case] = {}


def case(
    example: Sequence[torch.Tensor],
    axes: Sequence[dict[int, Axis]],
    further: Sequence[Sequence[torch.Tensor]] = (),
    refused: str = "",
) -> Callable[[type[nn.Module]], type[nn.Module]]:
    """A decorator that puts a class of modules on the list."""

    def put(made: type[nn.Module]) -> type[nn.Module]:
        assert made.__name__ not in CASES, made.__name__
        CASES[made.__name__] = Case(
            made.__name__, made, tuple(example), tuple(axes), tuple(tuple(each) for each in further), refused
        )
        return made

    return put


_NUMBERS = torch.Generator().manual_seed(14)


def normal(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Random numbers, the same in every run."""
    return torch.randn(*shape, generator=_NUMBERS).to(dtype)


def whole(low: int, high: int, *shape: int, dtype: torch.dtype = torch.int64) -> torch.Tensor:
    """Random whole numbers from `low` to below `high`."""
    return torch.randint(low, high, shape, generator=_NUMBERS).to(dtype)


def floats(*values: float) -> torch.Tensor:
    """One row of numbers."""
    return torch.tensor([values], dtype=torch.float32)


NAN, INF = float("nan"), float("inf")
BATCH: dict[int, Axis] = {0: "batch"}
