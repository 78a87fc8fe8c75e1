"""Which axes of the inputs are free: as the user says, else the first axis of every input."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from .._worker.free_axes import Axes
from .._worker.free_axes import axes_between as _axes_between
from .._worker.free_axes import axes_of as _axes_of
from ..spec import BATCH, Range, Unreadable

TRACED = 2
"""The least size that torch.export supposes of a free axis."""
axes_of = partial(_axes_of, "torch")
axes_between = partial(_axes_between, "torch")


def free_axes(model: Any, shapes: Mapping[str, tuple[int, ...]]) -> Axes:
    """The free axes by input: as the user says, or those whose sizes differ in a second example; of a program, its own.

    `model`: a `TorchModel`. Raises `Unreadable`.
    """
    own: Axes | None = getattr(model, "free", None)
    if own is not None:
        return own
    dynamic, other = model.given.get("dynamic", ""), model.given.get("other")
    if model.program is not None and other is not None:
        raise Unreadable("-O torch.other: an exported program says itself which axes are free: leave it out")
    if model.program is not None:
        return axes_of_program(model.program, dynamic)
    if other is None:
        return axes_of(dynamic, {name: len(shape) for name, shape in shapes.items()})
    if dynamic:
        raise Unreadable("-O torch.other and -O torch.dynamic both say which axes are free: give one of them")
    call = model.call(tuple(other))
    if set(call.names) != set(shapes):
        raise Unreadable(
            f"-O torch.other: the second example gives the inputs {', '.join(call.names)}, "
            f"the first gives {', '.join(shapes)}"
        )
    there = {name: tuple(map(int, sizes)) for name, sizes in other.items()}
    return axes_between(shapes, dict(zip(call.names, call.given)), there)


def axes_of_program(program: Any, text: str) -> Axes:
    """The free axes of an exported program, under the user's names where `text` gives them, else under names of ours.

    One size of the program is one name; the ranges are the program's own. Raises `Unreadable` for an axis that is free
    for the user alone.
    """
    sizes = dict(_sizes(program))
    ranks = {name: len(shape) for name, shape in sizes.items()}
    given = axes_of(text, ranks) if text.strip() else {}
    fixed = [(name, axis) for name, by_axis in given.items() for axis in by_axis if isinstance(sizes[name][axis], int)]
    if fixed:
        name, axis = fixed[0]
        raise Unreadable(
            f"-O torch.dynamic: the program has the fixed size {sizes[name][axis]} at {name}.{axis}: "
            "export it with a free one there (dynamic_shapes of torch.export.export)"
        )
    named = {str(sizes[name][axis]): free for name, by_axis in given.items() for axis, free in by_axis.items()}
    found: dict[str, dict[int, Range]] = {}
    for name, shape in sizes.items():
        for axis, size in enumerate(shape):
            if not isinstance(size, int):
                free = named.setdefault(str(size), Range(BATCH if not axis and not found else f"{name}_{axis}"))
                found.setdefault(name, {})[axis] = _within(free, program.range_constraints.get(size))
    return found


def _sizes(program: Any) -> Iterator[tuple[str, list[Any]]]:
    """The sizes of each input: a number, or the program's symbol for it."""
    from ._capture import inputs_of

    for node in inputs_of(program):
        yield node.name, [size if isinstance(size, int) else size.node.expr for size in node.meta["val"].shape]


def _within(free: Range, span: Any) -> Range:
    """The range as far as the program has it: its least of 2 is the tracer's, which sizes 0 and 1 keep in fact."""
    if span is None:
        return free
    least = int(span.lower) if span.lower.is_Integer and span.lower > TRACED else 0
    most = int(span.upper) if span.upper.is_Integer else sys.maxsize
    largest = min(free.largest, most)
    return Range(free.name, max(free.least, least), None if largest == sys.maxsize else largest)
