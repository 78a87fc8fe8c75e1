"""What a fix is: operators of torch that the exporter gets wrong, written with others that it gets right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

Form = Callable[..., Any]
"""A function of an operator's arguments that computes the same; `NotImplemented` where the operator itself is right."""


def _nothing(nodes: Iterable[Any]) -> None:
    """Leaves them as they are."""


@dataclass(frozen=True)
class Fix:
    """A pass over a program.

    `requires`, `ensures`: sentences. `forms`: by name of the operator with its overload, how it is written instead;
    `prepare`: changes the nodes first, for what a form cannot see from its own arguments.
    """

    name: str
    requires: str
    ensures: str
    forms: Mapping[str, Form]
    prepare: Callable[[Iterable[Any]], None] = _nothing


_AS_IT_IS: set[str] = set()


@contextmanager
def as_it_is(name: str) -> Iterator[None]:
    """While a form calls its own operator, which then stays."""
    _AS_IT_IS.add(name)
    try:
        yield
    finally:
        _AS_IT_IS.discard(name)


def guarded(name: str, form: Form) -> Form:
    """The form, that steps aside while it calls its own operator."""

    def run(*args: Any, **kwargs: Any) -> Any:
        return NotImplemented if name in _AS_IT_IS else form(*args, **kwargs)

    return run


def known(size: Any) -> bool:
    """Whether a size is a number, the same in every call."""
    return isinstance(size, int)


def alike(one: Any, other: Any) -> bool:
    """Whether two sizes are one, whatever the call; without asking the tracer, who would then assume it."""
    return str(one) == str(other)


def axis_of(tensor: Any, dim: int) -> int:
    """The axis as a number from 0."""
    return int(dim % max(tensor.dim(), 1))
