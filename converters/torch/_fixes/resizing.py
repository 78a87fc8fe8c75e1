"""Interpolation by a given factor, or to a size that the exporter bakes in."""

from __future__ import annotations

from typing import Any

from .fix import Fix, known


def _nearest(x: Any, size: Any, factors: Any, half: float) -> Any:
    """By index, along each axis: torch's own float32 arithmetic decides which pixel is nearest."""
    import torch

    rank = x.dim() - 2
    for axis in range(rank):
        own = x.shape[axis + 2]
        factor = None if factors is None else factors[axis]
        wanted = size[axis] if size is not None else torch.sym_int(own * factor)
        if factor is not None and factor > 0:
            step = torch.full((), 1.0 / factor, dtype=torch.float32)
        else:
            step = torch.ops.aten.scalar_tensor.default(own, dtype=torch.float32) / wanted
        place = ((torch.arange(wanted).to(torch.float32) + half) * step).floor().to(torch.int64)
        x = x.index_select(axis + 2, place.clamp(max=own - 1))
    return x


def _nearest_vec(x: Any, size: Any, factors: Any) -> Any:
    return NotImplemented if _whole(factors) or _to_known(x, size) else _nearest(x, size, factors, 0.0)


def _exact_vec(x: Any, size: Any, factors: Any) -> Any:
    return _nearest(x, size, factors, 0.5)


def _whole(factors: Any) -> bool:
    return factors is not None and all(float(each).is_integer() for each in factors)


def _to_known(x: Any, size: Any) -> bool:
    return size is not None and all(known(a) and known(b) and a % b == 0 for a, b in zip(size, x.shape[2:]))


RESIZING = Fix(
    "nearest neighbours",
    requires="interpolation to the nearest pixel, by factors that are no whole numbers or to free sizes",
    ensures="the pixel that torch takes, at every size",
    forms={
        "aten::upsample_nearest1d.vec": _nearest_vec,
        "aten::upsample_nearest2d.vec": _nearest_vec,
        "aten::upsample_nearest3d.vec": _nearest_vec,
        "aten::_upsample_nearest_exact1d.vec": _exact_vec,
        "aten::_upsample_nearest_exact2d.vec": _exact_vec,
        "aten::_upsample_nearest_exact3d.vec": _exact_vec,
    },
)
