"""bfloat16, which numpy lacks: arrays hold its numbers as float32, which has each of them exactly.

This file alone knows its bits. Values that are no bfloat16 are rounded to the nearest, ties to even, as ONNX's Cast
does, where they enter a graph or become raw bytes. Standard library and numpy only, Python 3.9 and later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

from .graph_file import encoded
from .spec import BFLOAT16

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Run = Callable[[Sequence[str], Mapping[str, Any], Optional[Any]], "list[Any]"]
"""Asks a session: names of outputs, arrays by input, ONNX Runtime's options; returns the outputs in that order."""
LARGEST = 3.3895313892515355e38
"""The largest number of the type."""
_ONNX_TYPE, _ONNX_NUMBER, _ONNX_TEXT = f"tensor({BFLOAT16})", 16, 8
_QUIET = 0x40


def bits_of(values: Array) -> Array:
    """The nearest numbers of bfloat16 as `uint16`, in C order; beyond the largest is infinity."""
    import numpy as np

    with np.errstate(over="ignore"):
        whole = np.asarray(values, np.float32, order="C").view(np.uint32)
    upper = (whole >> 16).astype(np.uint16)
    nan = (whole & 0x7FFFFFFF) > 0x7F800000
    up = (whole & 0xFFFF) + (upper & 1) > 0x8000
    return np.asarray(np.where(nan, upper | _QUIET, upper + up), np.uint16, order="C")


def of_bits(bits: Array) -> Array:
    """The numbers that `bits_of` wrote, as `float32`."""
    import numpy as np

    found: Array = (np.asarray(bits).astype(np.uint32, order="C") << 16).view(np.float32)
    return found


def rounded(values: Array) -> Array:
    """The values as bfloat16 has them, as `float32`."""
    return of_bits(bits_of(values))


def spacing(values: Array) -> Array:
    """The distance from each magnitude to the next number of bfloat16, as `float32`; NaN at infinity."""
    import numpy as np

    below = bits_of(np.abs(values))
    with np.errstate(invalid="ignore", over="ignore"):
        found: Array = of_bits(below + np.uint16(1)) - of_bits(below)
    return found


def run_of(session: Any) -> Run:
    """`session.run`, with tensors of bfloat16 as float32 arrays."""
    takes = frozenset(each.name for each in session.get_inputs() if each.type == _ONNX_TYPE)
    gives = frozenset(each.name for each in session.get_outputs() if each.type == _ONNX_TYPE)
    if not takes and not gives:
        plain: Run = session.run
        return plain

    def run(names: Sequence[str], feeds: Mapping[str, Any], options: Any) -> list[Any]:
        held = {name: bits_of(values) if name in takes else values for name, values in feeds.items()}
        if gives.isdisjoint(names):
            mixed = {name: _value(bits) if name in takes else bits for name, bits in held.items()}
            return list(session.run(names, mixed, options))
        every = {name: _value(bits) if name in takes else _plain_value(bits) for name, bits in held.items()}
        return [_array(value) for value in session.run_with_ort_values(names, every, options)]

    return run


def _value(bits: Array) -> Any:
    """ONNX Runtime's tensor over these bits, which must stay alive; it reads them in C order whatever their strides."""
    from onnxruntime import OrtValue

    return OrtValue.ortvalue_from_numpy_with_onnx_type(bits, _ONNX_NUMBER)


def _plain_value(values: Array) -> Any:
    from onnxruntime import OrtValue

    return _text_value(values) if values.dtype.kind in "OU" else OrtValue.ortvalue_from_numpy(values)


def _text_value(cells: Array) -> Any:
    """ONNX Runtime's tensor of text, which its Python makes of no array: what a graph of this constant answers."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(_constant(cells), options, providers=["CPUExecutionProvider"])
    return session.run_with_ort_values(["t"], {})[0]


def _constant(cells: Array) -> bytes:
    """A graph of IR version 8 and opset 13 without nodes, whose output `t` is its initializer `t`, this text."""
    texts = b"".join(_field(6, cell.encode()) for cell in cells.ravel().tolist())
    tensor = b"".join(_field(1, size) for size in cells.shape) + _field(2, _ONNX_TEXT) + texts + _field(8, b"t")
    output = _field(1, b"t") + _field(2, _field(1, _field(1, _ONNX_TEXT)))
    graph = _field(2, b"g") + _field(5, tensor) + _field(12, output)
    return _field(1, 8) + _field(8, _field(2, 13)) + _field(7, graph)


def _field(number: int, value: int | bytes) -> bytes:
    """A field of a protobuf message: a whole number, or bytes with their length."""
    if isinstance(value, int):
        return encoded(number << 3) + encoded(value)
    return encoded(number << 3 | 2) + encoded(len(value)) + value


def _array(value: Any) -> Array:
    """The tensor as an array; one of bfloat16 is read where it is, as ONNX Runtime's own `numpy()` refuses it."""
    import ctypes

    import numpy as np

    if value.data_type() != _ONNX_TYPE:
        found: Array = value.numpy()
        return found
    shape = value.shape()
    size = int(np.prod(shape, dtype=np.int64))
    raw = ctypes.string_at(value.data_ptr(), 2 * size) if size else b""
    return of_bits(np.frombuffer(raw, np.uint16)).reshape(shape)
