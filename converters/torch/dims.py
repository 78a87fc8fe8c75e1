"""Which axes of the inputs are free: as the user says, else the first axis of every input."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..spec import BATCH, Range, Unreadable

_ONE = re.compile(
    r"\s*(?P<input>[^:\[\],\s]+)\.(?P<axis>\d+)\s*:\s*(?P<name>[A-Za-z_]\w*)"
    r"\s*(\[(?P<least>\d+)\.\.(?P<most>\d*)\])?\s*"
)
_BATCHES = ("batch", "batch_size", BATCH)
"""Names that users give to the axis along which a batch grows."""


TRACED = 2
"""The least size that torch.export supposes of a free axis."""
NONE = "none"
"""In place of axes: no axis is free."""
Axes = Mapping[str, Mapping[int, Range]]
"""By input, then by axis."""


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


def axes_of(text: str, ranks: Mapping[str, int]) -> Axes:
    """The free axes in `x.0:batch,x.1:length[1..512]`; of an empty text the first axis of every input; none in `none`.

    `ranks`: the inputs with their numbers of dimensions. One name is one size. Raises `Unreadable`.
    """
    if not text.strip():
        return {name: {0: Range(BATCH)} for name, rank in ranks.items() if rank}
    if text.strip() == NONE:
        return {}
    found: dict[str, dict[int, Range]] = {}
    for part in _parts(text):
        matched = _ONE.fullmatch(part)
        if matched is None:
            raise Unreadable(f"-O torch.dynamic: {part!r} must be INPUT.AXIS:NAME or INPUT.AXIS:NAME[LEAST..MOST]")
        name, axis = matched["input"], int(matched["axis"])
        if name not in ranks:
            raise Unreadable(f"-O torch.dynamic: there is no input {name!r}; there are: {', '.join(ranks)}")
        if axis >= ranks[name]:
            raise Unreadable(f"-O torch.dynamic: {name!r} has {ranks[name]} dimensions, none at {axis}")
        found.setdefault(name, {})[axis] = _free(matched)
    _check_bounds(found)
    return found


def axes_between(
    own: Mapping[str, Sequence[int]], names: Mapping[str, str], other: Mapping[str, Sequence[int]]
) -> Axes:
    """The axes whose sizes differ in a second example; those that differ alike are one size. Raises `Unreadable`.

    `own`: the sizes by input; `names`: what the second example calls them.
    """
    known: dict[tuple[int, int], str] = {}
    found: dict[str, dict[int, Range]] = {}
    for name, sizes in own.items():
        there = other[names[name]]
        if len(there) != len(sizes):
            raise Unreadable(
                f"-O torch.other: {name!r} has {len(sizes)} dimensions in the example, {len(there)} in the other"
            )
        for axis, pair in enumerate(zip(sizes, there)):
            if pair[0] != pair[1]:
                found.setdefault(name, {})[axis] = Range(_alike(known, name, axis, pair))
    if not found:
        raise Unreadable("-O torch.other: the two examples have the same sizes: give one in which free sizes differ")
    return found


def _alike(known: dict[tuple[int, int], str], name: str, axis: int, pair: tuple[int, int]) -> str:
    found = known.setdefault(pair, BATCH if axis == 0 else f"{name.replace('.', '_')}_{axis}")
    if (found == BATCH) != (axis == 0):
        raise Unreadable(
            f"-O torch.other: axis {axis} of {name!r} and a first axis both change from {pair[0]} to {pair[1]}, and "
            "may be one size or two: give an example in which they differ, or name the axes with -O torch.dynamic"
        )
    return found


def _parts(text: str) -> Sequence[str]:
    return [part for part in re.split(r",(?![^\[]*\])", text) if part.strip()]


def _free(matched: re.Match[str]) -> Range:
    name = BATCH if matched["name"] in _BATCHES else matched["name"]
    return Range(name, int(matched["least"] or 0), int(matched["most"]) if matched["most"] else None)


def _check_bounds(axes: Axes) -> None:
    seen: dict[str, Range] = {}
    for free in (each for by_axis in axes.values() for each in by_axis.values()):
        if seen.setdefault(free.name, free) != free:
            raise Unreadable(f"-O torch.dynamic: {free.name!r} has two ranges: one name is one size, give one range")
        if free.most is not None and free.most < free.least:
            raise Unreadable(f"-O torch.dynamic: the range of {free.name!r} is empty: {free.least}..{free.most}")


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
