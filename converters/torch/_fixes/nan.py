"""Elementwise operators at NaN, at minus zero and at the extremes, and operators that have no translation."""

from __future__ import annotations

import math
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


def _atan2(y: Any, x: Any) -> Any:
    """By the angle below 45 degrees, so that no division overflows."""
    import torch

    if not torch.result_type(y, x).is_floating_point:
        return NotImplemented
    more, less = torch.maximum(x.abs(), y.abs()), torch.minimum(x.abs(), y.abs())
    ratio = less / torch.where(more == 0, torch.ones_like(more), more)
    ratio = torch.where(less.isinf(), torch.ones_like(ratio), ratio)
    angle = torch.atan(ratio)
    angle = torch.where(y.abs() > x.abs(), math.pi / 2 - angle, angle)
    angle = torch.where(_signbit(x), math.pi - angle, angle)
    return torch.where(_signbit(y), -angle, angle)


def _logit(x: Any, eps: Any = None) -> Any:
    import torch

    x = x if eps is None else x.clamp(eps, 1 - eps)
    return torch.log(x / (1 - x))


def _clamp(x: Any, min: Any = None, max: Any = None) -> Any:
    """By one bound: ONNX's Clip takes the largest finite number for the other."""
    if not x.is_floating_point() or (min is None) == (max is None):
        return NotImplemented
    return _at_least(x, min) if max is None else _at_most(x, max)


def _at_least(x: Any, low: Any) -> Any:
    import torch

    return torch.maximum(x, torch.full((), low, dtype=x.dtype)) if x.is_floating_point() else NotImplemented


def _at_most(x: Any, high: Any) -> Any:
    import torch

    return torch.minimum(x, torch.full((), high, dtype=x.dtype)) if x.is_floating_point() else NotImplemented


def _power(x: Any, exponent: Any) -> Any:
    return x.sqrt() if exponent == 0.5 and x.is_floating_point() else NotImplemented


def _floor_divide(a: Any, b: Any) -> Any:
    """As torch and Python do: by the remainder, not by rounding the quotient, which may round up first."""
    import torch

    if not torch.result_type(a, b).is_floating_point:
        return NotImplemented
    b = b if isinstance(b, torch.Tensor) else torch.full((), b, dtype=a.dtype)
    rest = torch.fmod(a, b)
    whole = (a - rest) / b
    whole = torch.where((rest != 0) & ((b < 0) != (rest < 0)), whole - 1, whole)
    floor = whole.floor()
    floor = torch.where(whole - floor > 0.5, floor + 1, floor)
    return torch.where(b == 0, a / b, floor)


def _divide(a: Any, b: Any, *, rounding_mode: Any) -> Any:
    return _floor_divide(a, b) if rounding_mode == "floor" else NotImplemented


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
        "aten::atan2": _atan2,
        "aten::logit": _logit,
        "aten::clamp": _clamp,
        "aten::clamp_min": _at_least,
        "aten::clamp_max": _at_most,
        "aten::pow.Tensor_Scalar": _power,
        "aten::floor_divide": _floor_divide,
        "aten::floor_divide.Scalar": _floor_divide,
        "aten::div.Tensor_mode": _divide,
        "aten::div.Scalar_mode": _divide,
        "aten::log_sigmoid": _log_sigmoid,
        "aten::rrelu": _rrelu,
        "aten::__rshift__.Scalar": _shift_right,
        "aten::bitwise_right_shift.Tensor_Scalar": _shift_right,
    },
)
