"""Reductions over what may be empty, and operators that ONNX Runtime does not run on no rows."""

from __future__ import annotations

import math
from typing import Any

from .fix import Fix, as_it_is, axis_of, known


def _reduced(x: Any, dim: Any) -> list[int]:
    """The axes that a reduction takes away."""
    if dim is None or (isinstance(dim, (list, tuple)) and not dim):
        return list(range(x.dim()))
    return [d % max(x.dim(), 1) for d in ([dim] if isinstance(dim, int) else dim)]


def _never_empty(x: Any, axes: list[int]) -> bool:
    return all(known(x.shape[axis]) and x.shape[axis] > 0 for axis in axes) if x.dim() else True


def _count(x: Any, axes: list[int]) -> Any:
    """How many numbers are reduced to one, as a tensor: a size that is free is an operator of the graph."""
    import torch

    count = math.prod([x.shape[axis] for axis in axes])
    return torch.ops.aten.scalar_tensor.default(count, dtype=x.dtype)


def _shaped(x: Any, axes: list[int], keepdim: bool, found: Any) -> Any:
    """What a reduction found, in the shape that it must have: of no rows ONNX Runtime before 1.32 keeps the old one."""
    import torch

    sizes = [1 if axis in axes else size for axis, size in enumerate(x.shape) if keepdim or axis not in axes]
    return torch.ops.aten.view.default(found, sizes)


def _never_no_rows(x: Any, axes: list[int]) -> bool:
    return all(known(size) for axis, size in enumerate(x.shape) if axis not in axes)


def _sum(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    axes = _reduced(x, dim)
    if _never_no_rows(x, axes):
        return NotImplemented
    with as_it_is("aten::sum.dim_IntList"):
        return _shaped(x, axes, keepdim, x.sum(axes, keepdim, dtype=dtype))


def _log_sum_exp(x: Any, dim: Any, keepdim: bool = False) -> Any:
    axes = _reduced(x, dim)
    if _never_no_rows(x, axes):
        return NotImplemented
    with as_it_is("aten::logsumexp"):
        return _shaped(x, axes, keepdim, x.logsumexp(axes, keepdim))


def _mean(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    axes = _reduced(x, dim)
    if _never_empty(x, axes):
        if _never_no_rows(x, axes):
            return NotImplemented
        with as_it_is("aten::mean.dim"):
            return _shaped(x, axes, keepdim, x.mean(axes, keepdim, dtype=dtype))
    x = x if dtype is None else x.to(dtype)
    return x.sum(axes, keepdim) / _count(x, axes)


def _times_vector(x: Any, vector: Any) -> Any:
    """By a matrix of one column: of no rows ONNX Runtime before 1.32 takes no vector."""
    if vector.dim() != 1 or x.dim() < 2 or known(x.shape[0]):
        return NotImplemented
    return (x @ vector.unsqueeze(-1)).squeeze(-1)


def _mean_of_all(x: Any, *, dtype: Any = None) -> Any:
    return _mean(x, None, False, dtype=dtype)


def _variance(x: Any, dim: Any = None, *, correction: Any = None, keepdim: bool = False) -> Any:
    import torch

    axes = _reduced(x, dim)
    if _never_empty(x, axes) or x.is_complex():
        return NotImplemented
    count = _count(x, axes)
    off = x - x.sum(axes, True) / count
    free = torch.clamp(count - (1 if correction is None else correction), min=0)
    return (off * off).sum(axes, keepdim) / free


def _old_variance(x: Any, dim: Any, unbiased: bool = True, keepdim: bool = False) -> Any:
    return _variance(x, dim, correction=int(unbiased), keepdim=keepdim)


def _old_deviation(x: Any, dim: Any, unbiased: bool = True, keepdim: bool = False) -> Any:
    return _deviation(x, dim, correction=int(unbiased), keepdim=keepdim)


def _variance_of_all(x: Any, unbiased: bool = True) -> Any:
    return _variance(x, None, correction=int(unbiased))


def _deviation_of_all(x: Any, unbiased: bool = True) -> Any:
    return _deviation(x, None, correction=int(unbiased))


def _deviation(x: Any, dim: Any = None, *, correction: Any = None, keepdim: bool = False) -> Any:
    found = _variance(x, dim, correction=correction, keepdim=keepdim)
    return found if found is NotImplemented else found.sqrt()


def _any(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    import torch

    axes = _reduced(x, dim)
    if _never_empty(x, axes):
        return NotImplemented
    found = (x != 0).to(torch.int64).sum(axes, keepdim) > 0
    return found.to(torch.uint8) if x.dtype is torch.uint8 else found


def _group_norm(x: Any, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, _: bool = True) -> Any:
    """Every size is said: of no rows a missing one cannot be told."""
    import torch

    if known(x.shape[0]):
        return NotImplemented
    inner = math.prod(x.shape[1:])
    flat = x.reshape(x.shape[0], groups, inner // groups)
    mean = flat.mean(-1, keepdim=True)
    off = flat - mean
    found = (off * torch.rsqrt((off * off).mean(-1, keepdim=True) + eps)).reshape(x.shape)
    along = (1, x.shape[1], *[1] * (x.dim() - 2))
    found = found if weight is None else found * weight.reshape(along)
    return found if bias is None else found + bias.reshape(along)


def _pad(x: Any, pad: Any, mode: str = "constant", value: Any = None) -> Any:
    """Around in a circle: what is cut off one end is put before the other."""
    import torch

    if mode != "circular" or not all(known(each) and each >= 0 for each in pad):
        return NotImplemented
    for place in range(len(pad) // 2):
        axis = x.dim() - 1 - place
        before, after = pad[2 * place], pad[2 * place + 1]
        size = x.shape[axis]
        parts = [x.narrow(axis, size - before, before)] if before else []
        parts += [x, *([x.narrow(axis, 0, after)] if after else [])]
        x = torch.cat(parts, axis)
    return x


def _repeat_interleave(x: Any, repeats: int, dim: Any = None, *, output_size: Any = None) -> Any:
    x = x.reshape(-1) if dim is None else x
    axis = axis_of(x, dim or 0)
    before, after = list(x.shape[:axis]), list(x.shape[axis + 1 :])
    wide = x.unsqueeze(axis + 1).expand(*before, x.shape[axis], repeats, *after)
    return wide.reshape(*before, x.shape[axis] * repeats, *after)


EMPTY = Fix(
    "no rows",
    requires="reductions over a free axis, group norms and circular padding of a free batch",
    ensures="the answer to no rows is that of torch: NaN for a mean, False for any, the shape that torch gives",
    forms={
        "aten::sum.dim_IntList": _sum,
        "aten::logsumexp": _log_sum_exp,
        "aten::mv": _times_vector,
        "aten::matmul": _times_vector,
        "aten::mean.dim": _mean,
        "aten::mean": _mean_of_all,
        "aten::var.correction": _variance,
        "aten::std.correction": _deviation,
        "aten::var.dim": _old_variance,
        "aten::std.dim": _old_deviation,
        "aten::var": _variance_of_all,
        "aten::std": _deviation_of_all,
        "aten::any.dim": _any,
        "aten::any.dims": _any,
        "aten::any": _any,
        "aten::group_norm": _group_norm,
        "aten::pad": _pad,
        "aten::repeat_interleave.self_int": _repeat_interleave,
    },
)
