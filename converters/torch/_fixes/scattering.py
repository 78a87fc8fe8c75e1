"""Scatter and its kin: means, NaN among extremes, more updates than places, selection by a mask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .fix import Fix, alike, as_it_is, axis_of


def _cut(source: Any, index: Any) -> Any:
    """The source at the index's size: torch reads no more of it."""
    for axis in range(source.dim()):
        if not alike(source.shape[axis], index.shape[axis]):
            source = source.narrow(axis, 0, index.shape[axis])
    return source


def _needs_no_cut(source: Any, index: Any) -> bool:
    return all(alike(a, b) for a, b in zip(source.shape, index.shape))


def _scatter_add(x: Any, dim: int, index: Any, source: Any) -> Any:
    return NotImplemented if _needs_no_cut(source, index) else x.scatter_add(dim, index, _cut(source, index))


def _scatter(x: Any, dim: int, index: Any, source: Any) -> Any:
    return NotImplemented if _needs_no_cut(source, index) else x.scatter(dim, index, _cut(source, index))


def _scatter_reduce(x: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True) -> Any:
    import torch

    if x.dim() == 0 or index.dim() == 0:
        return NotImplemented
    source = _cut(source, index)
    if reduce == "mean":
        return _mean(x, dim, index, source, include_self)
    if reduce in ("amax", "amin") and x.is_floating_point():
        odd = _total(x, dim, index, source.isnan().to(x.dtype)) > 0
        odd = odd | (x.isnan() if include_self else (_total(x, dim, index, torch.ones_like(source)) == 0) & x.isnan())
        plain = torch.where(source.isnan(), torch.zeros_like(source), source)
        with as_it_is("aten::scatter_reduce.two"):
            found = torch.scatter_reduce(_finite(x), dim, index, plain, reduce, include_self=include_self)
        return torch.where(odd, torch.full_like(x, torch.nan), found)
    return NotImplemented


def _finite(x: Any) -> Any:
    import torch

    return torch.where(x.isnan(), torch.zeros_like(x), x)


def _total(x: Any, dim: int, index: Any, source: Any) -> Any:
    import torch

    return torch.zeros_like(x).scatter_add(dim, index, source)


def _mean(x: Any, dim: int, index: Any, source: Any, include_self: bool) -> Any:
    import torch

    count = _total(x, dim, index, torch.ones_like(source))
    start = x if include_self else torch.where(count > 0, torch.zeros_like(x), x)
    total = start.scatter_add(dim, index, source)
    count = count + 1 if include_self else torch.clamp(count, min=1)
    return total / count if x.is_floating_point() else torch.div(total, count, rounding_mode="floor")


def _index_reduce(x: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True) -> Any:
    import torch

    axis = axis_of(x, dim)
    along = [-1 if each == axis else 1 for each in range(source.dim())]
    places = index.reshape(along).expand(source.shape)
    if reduce == "mean":
        return _mean(x, axis, places, source, include_self)
    found = _scatter_reduce(x, axis, places, source, reduce, include_self=include_self)
    if found is not NotImplemented:
        return found
    return torch.scatter_reduce(x, axis, places, source, reduce, include_self=include_self)


def _index_add(x: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Any:
    """By ScatterElements: ONNX Runtime's ScatterND adds to one place from several threads at once, and loses some."""
    if x.dim() == 0 or source.dim() != x.dim():
        return NotImplemented
    axis = axis_of(x, dim)
    along = [-1 if each == axis else 1 for each in range(x.dim())]
    return x.scatter_add(axis, index.reshape(along).expand(source.shape), source * alpha)


def _index_put(x: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """Added by ScatterElements, for the reason above: the indexed axes first, and as one."""
    if not accumulate:
        return NotImplemented
    axes = [axis for axis, index in enumerate(indices) if index is not None]
    given = [indices[axis] for axis in axes]
    if any(not each.dtype.is_signed for each in given) or axes != list(range(axes[0], axes[-1] + 1)):
        return NotImplemented
    return _put_added(x, axes, given, values)


def _put_added(x: Any, axes: Sequence[int], indices: Sequence[Any], values: Any) -> Any:
    """`axes`: those next to each other that the indices are of."""
    import torch

    indices = torch.broadcast_tensors(*indices)
    first, sizes, rank = axes[0], [x.shape[axis] for axis in axes], indices[0].dim()
    place = torch.zeros_like(indices[0])
    for index, size in zip(indices, sizes):
        place = place * size + torch.where(index < 0, index + size, index)
    others = [*x.shape[:first], *x.shape[axes[-1] + 1 :]]
    values = values.expand([*x.shape[:first], *place.shape, *x.shape[axes[-1] + 1 :]])
    moved = values.movedim(list(range(first, first + rank)), list(range(rank)))
    flat = x.movedim(list(axes), list(range(len(axes)))).reshape([math.prod(sizes), *others])
    added = _index_add(flat, 0, place.reshape(-1), moved.reshape([place.numel(), *others]))
    return added.reshape([*sizes, *others]).movedim(list(range(len(axes))), list(axes))


def _masked_select(x: Any, mask: Any) -> Any:
    import torch

    x, mask = torch.broadcast_tensors(x, mask)
    return x[mask]


def _searchsorted(
    edges: Any, x: Any, *, out_int32: bool = False, right: bool = False, side: Any = None, sorter: Any = None
) -> Any:
    """How many edges are before each value; of NaN all of them."""
    import torch

    edges = edges if sorter is None else edges.gather(-1, sorter)
    near = edges if edges.dim() == 1 else edges.unsqueeze(-2)
    value = x.unsqueeze(-1)
    before = ~(near > value) if right or side == "right" else ~(near >= value)
    return before.sum(-1, dtype=torch.int32 if out_int32 else torch.int64)


def _bucketize(x: Any, edges: Any, *, out_int32: bool = False, right: bool = False) -> Any:
    return _searchsorted(edges, x, out_int32=out_int32, right=right)


def _is_in(x: Any, of: Any, *, assume_unique: bool = False, invert: bool = False) -> Any:
    found = (x.unsqueeze(-1) == of.reshape(-1)).any(-1)
    return ~found if invert else found


SCATTERING = Fix(
    "scatter",
    requires="writes of many values to chosen places, selections by a mask",
    ensures="means are means, a NaN stays one, updates beyond the index are not read",
    forms={
        "aten::scatter_reduce.two": _scatter_reduce,
        "aten::scatter_add": _scatter_add,
        "aten::scatter.src": _scatter,
        "aten::index_reduce": _index_reduce,
        "aten::index_add": _index_add,
        "aten::index_put": _index_put,
        "aten::masked_select": _masked_select,
        "aten::searchsorted.Tensor": _searchsorted,
        "aten::bucketize.Tensor": _bucketize,
        "aten::isin.Tensor_Tensor": _is_in,
    },
)
