"""The sizes that an engine is made for: given by the user, else from the signature's ranges and the golden cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlpack_toolkit.converters.spec import BATCH, Range, Signature, Table

from ..errors import UsageError
from .recipe import Sizes, sizes_in

LARGEST_BATCH = 64
MOST = 4096
"""The end of a range up to which an engine is made for all of it."""
Triple = tuple[int, int, int]


def profiles(signature: Signature, batches: Sequence[Table], given: Mapping[str, Any]) -> dict[str, Sizes]:
    """By input, its smallest, usual and largest shape; raises `UsageError`.

    `batches`: the rows of the golden cases. `given`: by free dimension, `MIN:OPT:MAX`.
    """
    free = {dim: None for spec in signature.inputs for dim in spec.shape if isinstance(dim, str)}
    if unknown := sorted(set(given) - set(free)):
        there = ", ".join(free) or "none"
        raise UsageError(f"tensorrt.profile: {unknown[0]!r} is no free dimension of the model; there are: {there}")
    found = {dim: _sizes(dim, signature, batches, given.get(dim)) for dim in free}
    keys = ("min", "opt", "max")
    return {
        spec.in_graph: {
            key: [found[dim][i] if isinstance(dim, str) else dim for dim in spec.shape] for i, key in enumerate(keys)
        }
        for spec in signature.inputs
    }


def narrowed(signature: Signature, sizes: Mapping[str, Sizes]) -> Signature:
    """The signature of the engine: no size is outside of its profile."""
    ranges = {each.name: each for each in signature.ranges}
    for spec in signature.inputs:
        least, most = sizes[spec.in_graph]["min"], sizes[spec.in_graph]["max"]
        ranges |= {
            dim: Range(dim, low, high)
            for dim, low, high in zip(spec.shape, least, most, strict=True)
            if isinstance(dim, str)
        }
    return replace(signature, ranges=tuple(ranges.values()))


def _sizes(dim: str, signature: Signature, batches: Sequence[Table], given: Any) -> Triple:
    allowed = next((each for each in signature.ranges if each.name == dim), Range(dim))
    if given is not None:
        least, usual, most = sizes_in(dim, given)
        if least not in allowed or most not in allowed:
            most_allowed = "" if allowed.most is None else f" to {allowed.most}"
            raise UsageError(f"tensorrt.profile={dim}={given}: the model takes {allowed.least}{most_allowed}")
        return least, usual, most
    seen = sorted(filter(None, _seen(dim, signature, batches)))
    if not seen:
        raise UsageError(f"no golden case shows a size of {dim!r}: give -O tensorrt.profile={dim}=MIN:OPT:MAX")
    least = max(1, allowed.least) if allowed.least or dim == BATCH else seen[0]
    most = max(seen[-1], LARGEST_BATCH if dim == BATCH else 0)
    if allowed.most is not None:
        most = allowed.most if allowed.most <= MOST else min(most, allowed.most)
    return least, min(max(seen[len(seen) // 2], least), most), max(most, least)


def _seen(dim: str, signature: Signature, batches: Sequence[Table]) -> list[int]:
    return [
        size
        for table in batches
        for spec in signature.inputs
        if spec.name in table
        for each, size in zip(spec.shape, spec.as_written(table[spec.name]).shape, strict=False)
        if each == dim
    ]
