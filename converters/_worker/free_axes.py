"""Which axes of a model's inputs are free, as the user says: `x.0:batch,x.1:length[1..512]`, or a second example."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Callable

from ..spec import BATCH, Range, Table, TensorSpec, Unreadable
from ..table import rows_of, take

_ONE = re.compile(
    r"\s*(?P<input>[^:\[\],\s]+)\.(?P<axis>\d+)\s*:\s*(?P<name>[A-Za-z_]\w*)"
    r"\s*(\[(?P<least>\d+)\.\.(?P<most>\d*)\])?\s*"
)
_BATCHES = ("batch", "batch_size", BATCH)
"""Names that users give to the axis along which a batch grows."""
NONE = "none"
"""In place of axes: no axis is free."""
Axes = Mapping[str, Mapping[int, Range]]
"""By input, then by axis."""


def axes_of(framework: str, text: str, ranks: Mapping[str, int]) -> Axes:
    """The free axes in `x.0:batch,x.1:length[1..512]`; of an empty text the first axis of every input; none in `none`.

    `framework`: whose option says it; `ranks`: the inputs with their numbers of dimensions. One name is one size.
    Raises `Unreadable`.
    """
    option = f"-O {framework}.dynamic"
    if not text.strip():
        return {name: {0: Range(BATCH)} for name, rank in ranks.items() if rank}
    if text.strip() == NONE:
        return {}
    found: dict[str, dict[int, Range]] = {}
    for part in _parts(text):
        matched = _ONE.fullmatch(part)
        if matched is None:
            raise Unreadable(f"{option}: {part!r} must be INPUT.AXIS:NAME or INPUT.AXIS:NAME[LEAST..MOST]")
        name, axis = matched["input"], int(matched["axis"])
        if name not in ranks:
            raise Unreadable(f"{option}: there is no input {name!r}; there are: {', '.join(ranks)}")
        if axis >= ranks[name]:
            raise Unreadable(f"{option}: {name!r} has {ranks[name]} dimensions, none at {axis}")
        found.setdefault(name, {})[axis] = _free(matched)
    _check_bounds(option, found)
    return found


def axes_between(
    framework: str, own: Mapping[str, Sequence[int]], names: Mapping[str, str], other: Mapping[str, Sequence[int]]
) -> Axes:
    """The axes whose sizes differ in a second example; those that differ alike are one size. Raises `Unreadable`.

    `own`: the sizes by input; `names`: what the second example calls them.
    """
    option = f"-O {framework}.other"
    known: dict[tuple[int, int], str] = {}
    found: dict[str, dict[int, Range]] = {}
    for name, sizes in own.items():
        there = other[names[name]]
        if len(there) != len(sizes):
            raise Unreadable(
                f"{option}: {name!r} has {len(sizes)} dimensions in the example, {len(there)} in the other"
            )
        for axis, pair in enumerate(zip(sizes, there)):
            if pair[0] != pair[1]:
                found.setdefault(name, {})[axis] = Range(_alike(framework, known, name, axis, pair))
    if not found:
        raise Unreadable(
            f"-O {framework}.other: the two examples have the same sizes: give one in which free sizes differ"
        )
    return found


def _alike(framework: str, known: dict[tuple[int, int], str], name: str, axis: int, pair: tuple[int, int]) -> str:
    found = known.setdefault(pair, BATCH if axis == 0 else f"{name.replace('.', '_')}_{axis}")
    if (found == BATCH) != (axis == 0):
        raise Unreadable(
            f"-O {framework}.other: axis {axis} of {name!r} and a first axis both change from {pair[0]} to {pair[1]}, "
            "and may be one size or two: give an example in which they differ, or name the axes with "
            f"-O {framework}.dynamic"
        )
    return found


def _parts(text: str) -> Sequence[str]:
    return [part for part in re.split(r",(?![^\[]*\])", text) if part.strip()]


def _free(matched: re.Match[str]) -> Range:
    name = BATCH if matched["name"] in _BATCHES else matched["name"]
    return Range(name, int(matched["least"] or 0), int(matched["most"]) if matched["most"] else None)


def _check_bounds(option: str, axes: Axes) -> None:
    seen: dict[str, Range] = {}
    for free in (each for by_axis in axes.values() for each in by_axis.values()):
        if seen.setdefault(free.name, free) != free:
            raise Unreadable(f"{option}: {free.name!r} has two ranges: one name is one size, give one range")
        if free.most is not None and free.most < free.least:
            raise Unreadable(f"{option}: the range of {free.name!r} is empty: {free.least}..{free.most}")


def sizes(path: Any) -> Mapping[str, Sequence[str]]:
    """The sizes of each array of an npz or npy file, as texts by name."""
    import numpy as np

    try:
        found = np.load(path, allow_pickle=False, mmap_mode="r")
        arrays = {"X": found} if isinstance(found, np.ndarray) else {name: found[name] for name in found.files}
    except Exception as error:  # numpy raises OSError, ValueError, BadZipFile and others
        raise Unreadable(f"{path.name} must be an npz or npy file: {error}") from error
    return {name: [str(size) for size in each.shape] for name, each in arrays.items()}


def spec_of(name: str, values: Any, free: Mapping[int, Range]) -> TensorSpec:
    """The input of an example's tensor, some of whose axes are free."""
    shape = tuple(free[axis].name if axis in free else size for axis, size in enumerate(values.shape))
    return TensorSpec(name, values.dtype.name, shape)


def ranges_of(axes: Axes) -> tuple[Range, ...]:
    """The ranges of the free axes that do not take every size."""
    found = {free.name: free for by_axis in axes.values() for free in by_axis.values()}
    return tuple(free for free in found.values() if free != Range(free.name))


def without_batch(spec: TensorSpec) -> TensorSpec:
    """The input whose first axis is free, but no batch: an answer to some rows is no part of the answer to all."""
    return replace(spec, shape=tuple("rows" if d == BATCH else d for d in spec.shape))


def takes_more(ask: Callable[[Table], Table], inputs: tuple[TensorSpec, ...], example: Table) -> bool:
    """Whether the model answers the example with its first row once more."""
    axes = {t.name: t.batch_axis for t in inputs}
    try:
        ask(take(example, [*range(rows_of(example, axes)), 0], axes))
    except Exception:  # whatever the model raises
        return False
    return True
