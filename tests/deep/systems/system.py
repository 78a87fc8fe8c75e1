"""What a system of the field is, and how one is found by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

import numpy as np

FAMILIES = ("pictures", "detectors", "sequences", "graphs", "speech", "tables", "frames", "large")
"""The files beside this one; each ends in `SYSTEMS`."""


@dataclass(frozen=True)
class System:
    """A module with random weights and the full architecture.

    `factory`: makes the module. `example`: its inputs by name, for so many rows. `dynamic`: the free axes, as
    `-O torch.dynamic` takes them. `big`: takes much memory and time. `frame`: a pipeline that takes
    a data frame, not a module.
    """

    name: str
    factory: Callable[[], object]
    example: Callable[[int], Mapping[str, np.ndarray]]
    dynamic: str = ""
    big: bool = False
    frame: bool = False


def normal(seed: int, *shape: int) -> np.ndarray:
    """Random numbers, the same in every run."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def whole(seed: int, below: int, *shape: int) -> np.ndarray:
    """Random whole numbers from 0, the same in every run."""
    return np.random.default_rng(seed).integers(0, below, shape)


def systems() -> dict[str, System]:
    """All of them by name, with the family's file in front: `pictures:resnet50`."""
    found = (each for family in FAMILIES for each in import_module(family).SYSTEMS)
    return {f"{each.factory.__module__}:{each.factory.__name__}": each for each in found}
