"""Interpolation by a given factor, or to a size that the exporter bakes in."""

from __future__ import annotations

from collections.abc import Sequence
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


def _linear(x: Any, size: Any, corners: bool, factors: Any) -> Any:
    """Between the two nearest, along each axis, at torch's own float32 places: ONNX Runtime's are off by 1e-5."""
    import torch

    if not corners and (_doubled(factors) if factors is not None else _to_doubled(x, size)):
        return NotImplemented
    for axis in reversed(range(x.dim() - 2)):
        own, factor = x.shape[axis + 2], None if factors is None else factors[axis]
        wanted = size[axis] if size is not None else torch.sym_int(own * factor)
        sizes = [torch.ops.aten.scalar_tensor.default(each, dtype=torch.float32) for each in (own, wanted)]
        place = _places(torch.arange(wanted).to(torch.float32), sizes, factor, corners)
        low = place.floor().clamp(max=own - 1)
        high = (low + (sizes[0] != sizes[1])).clamp(max=own - 1)  # as large as before: torch looks at no other pixel
        share = (place - low).clamp(0, 1).reshape(-1, *[1] * (x.dim() - 3 - axis)).to(x.dtype)
        ends = [x.index_select(axis + 2, each.to(torch.int64)) for each in (low, high)]
        x = ends[0] * (1 - share) + ends[1] * share
    return x


def _places(index: Any, sizes: Sequence[Any], factor: Any, corners: bool) -> Any:
    """Where each pixel is in the old picture. `sizes`: of the old and the new one, as tensors."""
    import torch

    if corners:
        return index * ((sizes[0] - 1) / (sizes[1] - 1).clamp(min=1))
    given = factor is not None and factor > 0
    step = torch.full((), 1.0 / factor, dtype=torch.float32) if given else sizes[0] / sizes[1]
    return ((index + 0.5) * step - 0.5).clamp(min=0)


def _doubled(factors: Any) -> bool:
    """Whether each factor is 1, 2, 4, ..., with which every place is exact."""
    return all(float(each).is_integer() and int(each) & (int(each) - 1) == 0 for each in factors)


def _to_doubled(x: Any, size: Any) -> bool:
    pairs = list(zip(size, x.shape[2:]))
    whole = all(known(new) and known(old) and old and new % old == 0 for new, old in pairs)
    return whole and _doubled([new // old for new, old in pairs])


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
LINEAR = Fix(
    "linear between pixels",
    requires="linear, bilinear or trilinear interpolation other than to twice, four times, ... the size",
    ensures="shares of the two nearest pixels as torch computes them, at every size",
    forms={
        "aten::upsample_linear1d.vec": _linear,
        "aten::upsample_bilinear2d.vec": _linear,
        "aten::upsample_trilinear3d.vec": _linear,
    },
)
