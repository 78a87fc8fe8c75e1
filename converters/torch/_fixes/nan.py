"""Elementwise operators at NaN, at minus zero and at the extremes, and operators that have no translation."""

from __future__ import annotations

from typing import Any

from .fix import Fix


def _sign(x: Any) -> Any:
    import torch

    if x.dtype is torch.bool or x.dtype is torch.uint8 or x.is_complex():
        return NotImplemented
    return (x > 0).to(x.dtype) - (x < 0).to(x.dtype)


def _fmax(x: Any, y: Any) -> Any:
    import torch

    return torch.where(x.isnan(), y, torch.where(y.isnan(), x, torch.maximum(x, y)))


def _fmin(x: Any, y: Any) -> Any:
    import torch

    return torch.where(x.isnan(), y, torch.where(y.isnan(), x, torch.minimum(x, y)))


def _signbit(x: Any) -> Any:
    if not x.is_floating_point():
        return x < 0
    return (x < 0) | ((x == 0) & (1 / x < 0))


def _copysign(x: Any, y: Any) -> Any:
    import torch

    size = x.abs().to(torch.result_type(x, y))
    size = size if size.is_floating_point() else size.to(torch.get_default_dtype())
    sign = _signbit(y) if isinstance(y, torch.Tensor) else torch.full_like(size, y) < 0
    return torch.where(sign, -size, size)


def _hypot(x: Any, y: Any) -> Any:
    """Scaled by the larger of both, so that no square overflows."""
    import torch

    x, y = x.abs(), y.abs()
    more, less = torch.maximum(x, y), torch.minimum(x, y)
    ratio = less / torch.where(more == 0, torch.ones_like(more), more)
    found = more * torch.sqrt(1 + ratio * ratio)
    return torch.where(x.isinf() | y.isinf(), torch.full_like(found, torch.inf), found)


def _log_sigmoid(x: Any) -> Any:
    import torch

    return x.clamp(max=0) - torch.log1p(torch.exp(-x.abs()))


def _rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, generator: Any = None) -> Any:
    import torch

    return torch.nn.functional.leaky_relu(x, (lower + upper) / 2)


def _shift_right(x: Any, by: Any) -> Any:
    """Of unsigned bytes, which the exporter makes signed."""
    import torch

    if x.dtype is not torch.uint8:
        return NotImplemented
    return (x.to(torch.int32) >> by).to(torch.uint8)


NAN = Fix(
    "numbers at their edges",
    requires="operators of one or two tensors, element by element",
    ensures="NaN, infinities and minus zero answer as torch answers, on every runtime",
    forms={
        "aten::sign": _sign,
        "aten::sgn": _sign,
        "aten::fmax": _fmax,
        "aten::fmin": _fmin,
        "aten::signbit": _signbit,
        "aten::copysign.Tensor": _copysign,
        "aten::copysign.Scalar": _copysign,
        "aten::hypot": _hypot,
        "aten::log_sigmoid": _log_sigmoid,
        "aten::rrelu": _rrelu,
        "aten::__rshift__.Scalar": _shift_right,
        "aten::bitwise_right_shift.Tensor_Scalar": _shift_right,
    },
)
