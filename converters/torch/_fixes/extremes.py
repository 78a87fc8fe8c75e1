"""The largest and the least where one is NaN: torch answers NaN, ONNX Runtime what stands beside it."""

from __future__ import annotations

from typing import Any

from .fix import Fix, as_it_is


def _of_axes(name: str) -> Any:
    """The form of `amax` or `amin`."""

    def form(x: Any, dim: Any = (), keepdim: bool = False) -> Any:
        import torch

        if not x.is_floating_point():
            return NotImplemented
        axes = list(dim) if isinstance(dim, (list, tuple)) else [dim]
        axes = axes or list(range(x.dim()))
        with as_it_is(f"aten::{name}"):
            found = getattr(torch, name)(x, axes, keepdim)
        return torch.where(_odd(x, axes, keepdim), torch.full_like(found, torch.nan), found)

    return form


def _odd(x: Any, axes: Any, keepdim: bool) -> Any:
    import torch

    return x.isnan().to(torch.int32).sum(axes, keepdim) > 0


def _with_place(name: str) -> Any:
    """The form of `max` or `min` along one axis, with the first place of NaN where there is one."""

    def form(x: Any, dim: int, keepdim: bool = False) -> Any:
        if not x.is_floating_point() or not x.dim():
            return NotImplemented
        return getattr(x, f"a{name}")(dim, keepdim), getattr(x, f"arg{name}")(dim, keepdim)

    return form


def _place(name: str) -> Any:
    """The form of `argmax` or `argmin`."""

    def form(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        import torch

        if not x.is_floating_point() or not x.dim() or (dim is None and keepdim):
            return NotImplemented
        if dim is None:
            x, dim = x.reshape(-1), 0
        odd = x.isnan().to(torch.int32)
        plain = torch.where(x.isnan(), torch.zeros((), dtype=x.dtype), x)
        with as_it_is(f"aten::arg{name}"):
            found = getattr(torch, f"arg{name}")(plain, dim, keepdim)
            first = torch.argmax(odd, dim, keepdim)
        return torch.where(odd.sum(dim, keepdim) > 0, first, found)

    return form


def _of_all(name: str) -> Any:
    def form(x: Any) -> Any:
        return getattr(x, f"a{name}")() if x.is_floating_point() and x.dim() else NotImplemented

    return form


def _both(x: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    axes = list(range(x.dim())) if dim is None else [dim]
    return x.amin(axes, keepdim), x.amax(axes, keepdim)


def _pool(name: str) -> Any:
    """The form of `max_pool1d` and its kin: a second pool says which windows hold NaN."""

    def form(x: Any, *args: Any, **kwargs: Any) -> Any:
        import torch

        pool = getattr(torch.ops.aten, name).default
        with as_it_is(f"aten::{name}"):
            odd = pool(x.isnan().to(x.dtype), *args, **kwargs) > 0
            return torch.where(odd, torch.full((), torch.nan, dtype=x.dtype), pool(x, *args, **kwargs))

    return lambda x, *args, **kwargs: form(x, *args, **kwargs) if x.is_floating_point() else NotImplemented


EXTREMES = Fix(
    "extremes",
    requires="the largest or least of numbers, one of which may be NaN",
    ensures="NaN where one is NaN, and its first place",
    forms={
        "aten::amax": _of_axes("amax"),
        "aten::amin": _of_axes("amin"),
        "aten::max": _of_all("max"),
        "aten::min": _of_all("min"),
        "aten::max.dim": _with_place("max"),
        "aten::min.dim": _with_place("min"),
        "aten::aminmax": _both,
        "aten::argmax": _place("max"),
        "aten::argmin": _place("min"),
        "aten::max_pool1d": _pool("max_pool1d"),
        "aten::max_pool2d": _pool("max_pool2d"),
        "aten::max_pool3d": _pool("max_pool3d"),
    },
)
