"""Tensors in the JSON of the Open Inference Protocol v2: numbers, text, null, and words for numbers that JSON lacks.

Arrays hold bfloat16 as float32 (see `converters/bfloat16.py`), so a function that writes a tensor takes
its element type.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlpack_toolkit.converters.bfloat16 import rounded
from mlpack_toolkit.converters.spec import BFLOAT16, REALS, Scalar, TensorSpec

from .errors import Refusal

Array = np.ndarray[Any, Any]
_DATATYPES = {"f8": "FP64", "f4": "FP32", "f2": "FP16", "i8": "INT64", "i4": "INT32", "i2": "INT16", "i1": "INT8"}
_DATATYPES |= {"u8": "UINT64", "u4": "UINT32", "u2": "UINT16", "u1": "UINT8", "b1": "BOOL"}
BF16 = "BF16"
DTYPES = {name: np.dtype(code) for code, name in _DATATYPES.items()} | {BF16: np.dtype("f4")}
"""numpy's type of each datatype but BYTES."""
_NAMES = {np.dtype(code).name: name for code, name in _DATATYPES.items()} | {BFLOAT16: BF16}
_WORDS = {math.inf: "Infinity", -math.inf: "-Infinity"}
_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf, None: math.nan}
LONGEST_NAME = 80
"""The most letters of a sender's value that a message quotes."""
_MOST_RANK = 32
_MOST_SIZE = 2**53
_REAL = {float, int}
_EXACT = 2.0**53
"""From here on a float may stand for several whole numbers; JSON numbers beyond 64 bits are read as floats."""


def datatype_of(values: Array, dtype: str = "") -> str:
    """The protocol's name of an array's element type. `dtype`: its name in the signature; empty: numpy's own."""
    return "BYTES" if values.dtype.kind in "OU" else _NAMES[dtype if dtype == BFLOAT16 else values.dtype.name]


def declared_datatype(spec: TensorSpec) -> str:
    """The protocol's name of the element type that the signature says."""
    return "BYTES" if spec.is_text else _NAMES[spec.dtype]


def wire_of(spec: TensorSpec) -> str:
    """The datatype in which the cells of rows are read, before they are brought into their column's own."""
    if spec.is_text:
        return "BYTES"
    if spec.dtype == "bool":
        return "BOOL"
    if spec.dtype in REALS:
        return "FP64"
    return "UINT64" if spec.dtype == "uint64" else "INT64"


def tensor_of(name: str, values: Array, dtype: str = "") -> dict[str, Any]:
    """A tensor's JSON object. `dtype`: see `datatype_of`."""
    return {**head_of(name, values, dtype), "data": plain_cells(values)}


def head_of(name: str, values: Array, dtype: str = "") -> dict[str, Any]:
    """A tensor's JSON object without its data."""
    return {"name": name, "shape": list(values.shape), "datatype": datatype_of(values, dtype)}


def plain_cells(values: Array) -> list[Any]:
    """The cells in row-major order: NaN and the infinities as words."""
    cells: list[Any] = values.ravel().tolist()
    if values.dtype.kind != "f" or math.isfinite(sum(cells)):
        return cells
    return [plain(v) for v in cells]


def plain(value: Scalar | None) -> Scalar | None:
    """A cell as a JSON value."""
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return _WORDS.get(value, "NaN")


def array_of(tensor: Mapping[str, Any]) -> Array:
    """The array of a tensor's JSON object, in its datatype and shape; raises `Refusal`."""
    name = tensor["name"][:LONGEST_NAME]
    shape = shape_of(tensor)
    datatype = tensor.get("datatype")
    if type(datatype) is not str or (datatype != "BYTES" and datatype not in DTYPES):
        raise Refusal(f"input {name!r}: there is no datatype {datatype!r:.80}; there are: BYTES, {', '.join(DTYPES)}")
    data = tensor.get("data")
    if type(data) is not list:
        raise Refusal(f"input {name!r}: 'data' must be a list")
    size = math.prod(shape)
    if len(data) != size or (data and type(data[0]) is list):
        data = _flat(name, data, shape)
    return _read(name, data, datatype, size // shape[0] if size and shape else 1).reshape(shape)


def shape_of(tensor: Mapping[str, Any]) -> list[int]:
    """The tensor's shape: whole numbers from 0; raises `Refusal`."""
    shape = tensor.get("shape")
    if type(shape) is list and len(shape) <= _MOST_RANK:
        most = 1
        for size in shape:
            if type(size) is not int or not 0 <= size < _MOST_SIZE:
                break
            most *= size or 1
        else:
            if most < _MOST_SIZE:  # beyond it numpy has no array, not even one without cells
                return shape
    raise Refusal(f"input {tensor['name'][:LONGEST_NAME]!r}: 'shape' must be a list of whole numbers from 0")


def _flat(name: str, data: list[Any], shape: list[int]) -> list[Any]:
    """The cells of nested lists that fit the shape."""
    if not (data and shape and type(data[0]) is list):
        raise Refusal(f"input {name!r}: its data has {len(data)} cells, which is not its shape {shape}")
    for size in shape[1:]:
        if not all(type(each) is list and len(each) == size for each in data):
            raise Refusal(f"input {name!r}: its data nesting does not match its shape {shape}")
        data = [cell for each in data for cell in each]
    if len(data) != math.prod(shape):
        raise Refusal(f"input {name!r}: its data nesting does not match its shape {shape}")
    return data


def _read(name: str, data: list[Any], datatype: str, width: int) -> Array:
    if datatype == "BYTES":
        return texts(name, data, width)
    dtype = DTYPES[datatype]
    if dtype.kind == "b":
        return flags(name, data, width)
    if datatype == BF16:
        return rounded(reals(name, data, width, dtype))
    return reals(name, data, width, dtype) if dtype.kind == "f" else integers(name, data, width, dtype)


def reals(name: str, data: Sequence[Any], width: int, dtype: Any = np.float64) -> Array:
    """Floats: numbers, the words NaN, Infinity and -Infinity, and NaN for null; raises `Refusal`."""
    if not _REAL.issuperset(map(type, data)):
        data = [v if type(v) in (float, int) else _word(name, i // width, v) for i, v in enumerate(data)]
    try:
        values = np.array(data, np.float64)
    except OverflowError:
        raise Refusal(f"column {name!r}: a whole number that is too large") from None
    if dtype == np.float64:
        return values
    with np.errstate(over="ignore"):
        return values.astype(dtype)


def _word(name: str, row: int, value: Any) -> float:
    if value is None or (type(value) is str and value in _NUMBERS):
        return _NUMBERS[value]
    raise wrong(name, row, value, "a number")


def integers(name: str, data: Sequence[Any], width: int, dtype: Any = np.int64) -> Array:
    """Whole numbers within their type's range; raises `Refusal`."""
    if not set(map(type, data)) <= {int}:
        data = [v if type(v) is int else _whole(name, i // width, v) for i, v in enumerate(data)]
    bounds = np.iinfo(dtype)
    if data and (min(data) < bounds.min or max(data) > bounds.max):
        row = next(i for i, v in enumerate(data) if not bounds.min <= v <= bounds.max) // width
        raise beyond(name, row, bounds)
    return np.array(data, dtype)


def beyond(name: str, row: int, bounds: Any) -> Refusal:
    """The refusal of a whole number that its type cannot hold."""
    return Refusal(f"row {row}, column {name!r}: a whole number beyond {bounds.min} to {bounds.max}")


def _whole(name: str, row: int, value: Any) -> int:
    if type(value) is float and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if type(value) is float and abs(value) >= _EXACT:
        raise Refusal(f"row {row}, column {name!r}: a whole number that is too large, or written with a fraction")
    if value is None:
        raise Refusal(f"row {row}, column {name!r}: a missing value, and the model takes whole numbers here")
    raise wrong(name, row, value, "a whole number")


def flags(name: str, data: Sequence[Any], width: int) -> Array:
    """True and false; raises `Refusal`."""
    if not set(map(type, data)) <= {bool}:
        row, value = next((i // width, v) for i, v in enumerate(data) if type(v) is not bool)
        raise wrong(name, row, value, "true or false")
    return np.array(data, np.bool_)


def texts(name: str, data: Sequence[Any], width: int) -> Array:
    """Text, None for null; raises `Refusal`."""
    if not set(map(type, data)) <= {str, type(None)}:
        row, value = next((i // width, v) for i, v in enumerate(data) if type(v) is not str and v is not None)
        raise wrong(name, row, value, "text")
    cells = np.empty(len(data), object)
    cells[:] = data
    return cells


def wrong(name: str, row: int, value: Any, wanted: str) -> Refusal:
    """The refusal of a cell of another kind."""
    return Refusal(f"row {row}, column {name!r}: {_shown(value)}, and the model takes {wanted} here")


def _shown(value: Any) -> str:
    """A cell in a few words: a sender's value is never quoted at length."""
    if value is None:
        return "a missing value"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {value[:40]!r}{'…' if len(value) > 40 else ''}"
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    return f"the number {value!r:.40}"
