"""Checks how a file of torch makes its storages and tensors: torch trusts the sizes that a pickle states."""

from __future__ import annotations

from math import prod
from typing import Any, Callable

from .rules import Look, Refused, roles

ELEMENTS = {
    "torch.BFloat16Storage": ("bfloat16", 2),
    "torch.BoolStorage": ("bool", 1),
    "torch.ByteStorage": ("uint8", 1),
    "torch.CharStorage": ("int8", 1),
    "torch.ComplexDoubleStorage": ("complex128", 16),
    "torch.ComplexFloatStorage": ("complex64", 8),
    "torch.DoubleStorage": ("float64", 8),
    "torch.FloatStorage": ("float32", 4),
    "torch.HalfStorage": ("float16", 2),
    "torch.IntStorage": ("int32", 4),
    "torch.LongStorage": ("int64", 8),
    "torch.ShortStorage": ("int16", 2),
}
"""Per kind of storage that a pickle names: torch's element type and its bytes."""
SIZE, DEVICE = "torch.Size", "torch.device"
TENSOR, PARAMETER = "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"
ROLES = {SIZE: "size", DEVICE: "device", TENSOR: "tensor", PARAMETER: "tensor"}
"""Torch's own names that a file may call, and the role of what comes back."""
DATA = frozenset({*ELEMENTS, *ROLES, "collections.OrderedDict", "builtins.set"})
"""The names in a file of torch that holds tensors alone."""
_LAYERS = ("torch.nn.modules.", "torchvision.ops.misc.")
MOST_DIMENSIONS = 64
SPREAD = 1 << 24
"""The most elements of a tensor that repeats its storage (stride 0)."""

_INT, _BOOL, _STR, _MAPPING = roles("int"), roles("bool"), roles("str"), roles("mapping")
_NO_VIEW = roles("NoneType")


def is_layer(name: str) -> bool:
    """Returns whether it is the class of a layer, which a module may hold as a value: what to normalise with."""
    return name.startswith(_LAYERS)


def storage_of(pid: Any, look: Look) -> tuple[str, str, int]:
    """Returns the kind of a storage, the name of its record and its number of elements; raises `Refused`."""
    parts = look.items(pid)
    if parts is None or len(parts) != 5 or look.texts(parts[0]) != ("storage",):
        raise Refused("refers to something other than a storage outside of its pickle")
    kind, key, place, elements = parts[1:]
    if look.name(kind) not in ELEMENTS or look.role(kind) != "name":
        raise Refused(f"has a storage of the unknown type {look.name(kind) or look.role(kind)}")
    names = look.texts(key)
    if look.role(key) != "str" or not names or not names[0].isalnum() or not _STR(place, look):
        raise Refused("has a storage without a plain name")
    if type(elements) is not int or not 0 <= elements < 1 << 48:
        raise Refused("has a storage of an impossible size")
    return look.name(kind), names[0], elements


def check_record(kind: str, elements: int, size: int | None, key: str) -> None:
    """Raises `Refused` where the record of a storage has not as many bytes as the pickle says."""
    if size is None or elements * ELEMENTS[kind][1] != size:
        has = "is missing" if size is None else f"has {size} bytes"
        raise Refused(f"says that its storage {key} has {elements} elements of {kind}, but that record {has}")


def tensor_call(name: str, args: tuple[Any, ...], look: Look) -> str:
    """Returns the role of the result of calling one of torch's own names; raises `Refused`."""
    if not _CHECKS[name](args, look):
        raise Refused(f"calls {name} in a way that no model does")
    return ROLES[name]


def _tensor(args: tuple[Any, ...], look: Look) -> bool:
    if len(args) not in (6, 7) or not _BOOL(args[4], look) or not _MAPPING(args[5], look):
        return False
    elements = look.elements(args[0])
    if elements is None or (len(args) == 7 and not _NO_VIEW(args[6], look)):
        return False
    check_strides(elements, args[1], look.items(args[2]), look.items(args[3]))
    return True


def check_strides(elements: int, offset: Any, size: Any, stride: Any) -> None:
    """Raises `Refused` where a tensor reaches beyond the elements of its storage."""
    numbers = (offset, *(size or ()), *(stride or ()))
    plain = size is not None and stride is not None and all(type(n) is int and 0 <= n < 1 << 48 for n in numbers)
    if not plain or len(size) != len(stride) or len(size) > MOST_DIMENSIONS:
        raise Refused("has a tensor whose sizes and strides are not plain numbers")
    count = prod(size)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride)) if count else offset - 1
    if last >= elements or count > max(elements, SPREAD):
        raise Refused(f"has a tensor of {'x'.join(map(str, size))} elements, but its storage has {elements}")


def _parameter(args: tuple[Any, ...], look: Look) -> bool:
    return len(args) == 3 and look.role(args[0]) == "tensor" and _BOOL(args[1], look) and _MAPPING(args[2], look)


def _size(args: tuple[Any, ...], look: Look) -> bool:
    items = look.items(args[0]) if len(args) == 1 else None
    return items is not None and all(_INT(item, look) for item in items)


def _device(args: tuple[Any, ...], look: Look) -> bool:
    return 1 <= len(args) <= 2 and _STR(args[0], look) and all(_INT(arg, look) for arg in args[1:])


_CHECKS: dict[str, Callable[[tuple[Any, ...], Look], bool]] = {
    TENSOR: _tensor,
    PARAMETER: _parameter,
    SIZE: _size,
    DEVICE: _device,
}
