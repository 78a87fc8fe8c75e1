"""What a fix is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fix:
    """A pass over the operators of a program.

    `requires`, `ensures`: sentences. `forms`: by operator of torch, a function of tensors that computes the same with
    operators that translate right; it gives `NotImplemented` where the operator itself does.
    """

    name: str
    requires: str
    ensures: str
    forms: Callable[[], Mapping[Any, Callable[..., Any]]]
