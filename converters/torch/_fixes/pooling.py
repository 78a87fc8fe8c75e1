"""Pooling whose windows depend on a free size, or that divides by a number of its own."""

from __future__ import annotations

from typing import Any

from .fix import Fix, known


def _windows(size: Any, out: int) -> tuple[Any, Any]:
    """Places of each window in an axis, `[out, longest]`, and which of them it has."""
    import torch

    start = torch.arange(out) * size // out
    end = ((torch.arange(out) + 1) * size + out - 1) // out
    longest = (size + out - 1) // out + 1
    places = start.unsqueeze(1) + torch.arange(longest).unsqueeze(0)
    has = places < end.unsqueeze(1)
    return places.clamp(max=size - 1), has


def _split(x: Any, axis: int, out: int) -> tuple[Any, Any]:
    """The windows of one axis, behind it; which are real, in the same shape as the last two axes."""
    places, has = _windows(x.shape[axis], out)
    found = x.index_select(axis, places.reshape(-1))
    return found.unflatten(axis, places.shape), has


def _idle(x: Any, sizes: Any) -> bool:
    """Whether torch's exporter has it right: windows of one length, all known, or one window of everything."""
    inner = x.shape[-len(sizes) :]
    if all(each == 1 for each in sizes):
        return True
    return all(known(a) and a % b == 0 for a, b in zip(inner, sizes))


def _average(x: Any, sizes: Any) -> Any:
    import torch

    sizes = [a if b is None else b for a, b in zip(x.shape[-len(sizes) :], sizes)]
    if all(map(known, sizes)) and _idle(x, sizes):
        return NotImplemented
    for axis, out in zip(range(x.dim() - len(sizes), x.dim()), sizes):
        parts, has = _split(x, axis, out)
        real = has.reshape(*has.shape, *[1] * (x.dim() - axis - 1))
        total = torch.where(real, parts, torch.zeros((), dtype=x.dtype)).sum(axis + 1)
        x = total / real.sum(1).to(x.dtype)
    return x


def _largest(x: Any, sizes: Any) -> Any:
    """The places of the largest are not computed: the scan refuses a use of them."""
    import torch

    for axis, out in zip(range(x.dim() - len(sizes), x.dim()), sizes):
        parts, has = _split(x, axis, out)
        real = has.reshape(*has.shape, *[1] * (x.dim() - axis - 1))
        x = torch.where(real, parts, torch.full((), -torch.inf, dtype=x.dtype)).amax(axis + 1)
    return x, torch.zeros_like(x, dtype=torch.int64)


def _average_with_divisor(
    x: Any,
    window: Any,
    stride: Any = (),
    padding: Any = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Any:
    """The sum of a window, divided by the number given: zeros around, then a mean times its count."""
    import torch

    if divisor_override is None:
        return NotImplemented
    rank = len(window) if len(window) > 1 else 2
    window, padding = _each(window, rank), _each(padding, rank)
    stride = _each(stride, rank) if len(stride) else window
    around: list[Any] = []
    for axis in range(rank):
        size, before = x.shape[x.dim() - rank + axis], padding[axis]
        after = before
        if ceil_mode:
            count = -(-(size + 2 * before - window[axis]) // stride[axis]) + 1
            count = torch.sym_min(count, (size + before - 1) // stride[axis] + 1)
            after = torch.sym_max(before, (count - 1) * stride[axis] + window[axis] - size - before)
        around = [before, after, *around]
    padded = torch.nn.functional.pad(x, around)
    pool = torch.ops.aten.avg_pool2d if rank == 2 else torch.ops.aten.avg_pool3d
    area = 1
    for each in window:
        area *= each
    return pool(padded, window, stride) * (area / divisor_override)


def _each(values: Any, rank: int) -> list[int]:
    return list(values) if len(values) == rank else [values[0]] * rank


POOLING = Fix(
    "pooling",
    requires="adaptive pooling at free or uneven sizes, without the places of the largest; pooling with a divisor",
    ensures="every window is that of torch at every size",
    forms={
        "aten::adaptive_avg_pool1d": _average,
        "aten::adaptive_avg_pool2d": _average,
        "aten::adaptive_avg_pool3d": _average,
        "aten::_adaptive_avg_pool2d": _average,
        "aten::_adaptive_avg_pool3d": _average,
        "aten::adaptive_max_pool1d": _largest,
        "aten::adaptive_max_pool2d": _largest,
        "aten::adaptive_max_pool3d": _largest,
        "aten::avg_pool2d": _average_with_divisor,
        "aten::avg_pool3d": _average_with_divisor,
    },
)
