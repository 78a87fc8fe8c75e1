"""Which axes of the inputs are free: as the user says, else the first axis of every input."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..spec import BATCH, Range, Unreadable

_ONE = re.compile(
    r"\s*(?P<input>[^:\[\],\s]+)\.(?P<axis>\d+)\s*:\s*(?P<name>[A-Za-z_]\w*)"
    r"\s*(\[(?P<least>\d+)\.\.(?P<most>\d*)\])?\s*"
)
_BATCHES = ("batch", "batch_size", BATCH)
"""Names that users give to the axis along which a batch grows."""


Axes = Mapping[str, Mapping[int, Range]]
"""By input, then by axis."""


def axes_of(text: str, ranks: Mapping[str, int]) -> Axes:
    """The free axes in `x.0:batch,x.1:length[1..512]`; of an empty text the first axis of every input.

    `ranks`: the inputs with their numbers of dimensions. One name is one size. Raises `Unreadable`.
    """
    if not text.strip():
        return {name: {0: Range(BATCH)} for name, rank in ranks.items() if rank}
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
