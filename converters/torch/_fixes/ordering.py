"""Medians, smallest of rank k, running products and distances, for which the exporter has no translation."""

from __future__ import annotations

from typing import Any

from .fix import Fix, axis_of


def _median(x: Any, dim: int, keepdim: bool = False) -> Any:
    """The lower of the two in the middle; NaN where there is one."""
    import torch

    if x.dim() == 0:
        return x, torch.zeros_like(x, dtype=torch.int64)
    axis = axis_of(x, dim)
    values, places = x.sort(dim=axis)
    middle = (x.shape[axis] - 1) // 2
    value, place = (each.narrow(axis, middle, 1) for each in (values, places))
    if x.is_floating_point():
        value = torch.where(x.isnan().any(axis, keepdim=True), torch.full_like(value, torch.nan), value)
    return (value, place) if keepdim else (value.squeeze(axis), place.squeeze(axis))


def _median_of_all(x: Any) -> Any:
    """Of nothing NaN. What is sorted is never empty: ONNX Runtime 1.28 ends the process at that."""
    import torch

    flat = x.reshape(-1)
    count = flat.shape[0]
    if not x.is_floating_point():
        return flat.sort(dim=0).values.narrow(0, (count - 1) // 2, 1).squeeze(0)
    values = torch.cat([flat, flat.new_full((1,), torch.inf)]).sort(dim=0).values
    size = torch.ops.aten.scalar_tensor.default(count, dtype=torch.int64)
    middle = torch.clamp(torch.div(size - 1, 2, rounding_mode="floor"), min=0)
    value = values.index_select(0, middle.reshape(1)).squeeze(0)
    odd = flat.isnan().any() | (size == 0)
    return torch.where(odd, torch.full((), torch.nan, dtype=x.dtype), value)


def _rank(x: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    values, places = x.sort(dim=dim)
    axis = axis_of(x, dim)
    value, place = (each.narrow(axis, k - 1, 1) for each in (values, places))
    return (value, place) if keepdim else (value.squeeze(axis), place.squeeze(axis))


def _stable(x: Any, *, stable: Any = None, dim: int = -1, descending: bool = False) -> Any:
    """ONNX's TopK puts the first of equals first, and so is stable."""
    import torch

    return torch.sort(x, dim, descending)


def _stable_places(x: Any, *, stable: bool, dim: int = -1, descending: bool = False) -> Any:
    return _stable(x, dim=dim, descending=descending)[1]


def _running_product(x: Any, dim: int, *, dtype: Any = None) -> Any:
    import torch

    x = x if dtype is None else x.to(dtype)
    if x.dim() == 0:
        return x
    axis = axis_of(x, dim)
    last = x.movedim(axis, -1)
    size = last.shape[-1]
    places = torch.arange(size)
    before = places.unsqueeze(0) <= places.unsqueeze(1)
    parts = torch.where(before, last.unsqueeze(-2), torch.ones((), dtype=x.dtype))
    return parts.prod(-1).movedim(-1, axis)


def _running_extreme(largest: bool) -> Any:
    """The largest or least up to each place, and its last place so far."""

    def form(x: Any, dim: int) -> Any:
        import torch

        axis = axis_of(x, dim)
        last = x.movedim(axis, -1).unsqueeze(-2)
        places = torch.arange(last.shape[-1])
        before = places.unsqueeze(0) <= places.unsqueeze(1)
        edge = torch.full((), -torch.inf if largest else torch.inf, dtype=x.dtype)
        parts = torch.where(before, last, edge)
        found = parts.amax(-1) if largest else parts.amin(-1)
        same = (last == found.unsqueeze(-1)) | (last.isnan() & found.unsqueeze(-1).isnan())
        place = torch.where(same & before, places, torch.full((), -1)).amax(-1)
        return found.movedim(-1, axis), place.movedim(-1, axis)

    return lambda x, dim: form(x, dim) if x.is_floating_point() and x.dim() else NotImplemented


def _distances(x: Any, y: Any, p: float = 2.0, compute_mode: Any = None) -> Any:
    return (x.unsqueeze(-2) - y.unsqueeze(-3)).norm(p=p, dim=-1)


ORDERING = Fix(
    "order and rank",
    requires="medians without their places, which torch picks in its own way among equals (refused by the scan)",
    ensures="the value in the middle by a sort, NaN where there is one",
    forms={
        "aten::median.dim": _median,
        "aten::median": _median_of_all,
        "aten::kthvalue": _rank,
        "aten::sort.stable": _stable,
        "aten::argsort.stable": _stable_places,
        "aten::cumprod": _running_product,
        "aten::cummax": _running_extreme(True),
        "aten::cummin": _running_extreme(False),
        "aten::cdist": _distances,
        "aten::_cdist_forward": _distances,
    },
)
