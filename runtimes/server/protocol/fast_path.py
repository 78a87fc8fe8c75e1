"""Reads plain requests in one pass; leaves all others to `columns`, which decides and gives reasons.

Cells come from JSON, so no float among them is NaN or infinite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from mlpack_toolkit.converters.spec import FLOATS, INTEGERS, Signature, TensorSpec

from ...engine.columns import high_of, low_of
from ...engine.tensors import DTYPES, Array, wire_of

EXACT = 2**53
"""Whole numbers up to here are exact in every number type."""
Read = Callable[[list[Any]], "Array | None"]
"""Converts cells to the graph's input; None where one of them is not plain."""


class Feeds(NamedTuple):
    """The graph's inputs and their number of rows."""

    arrays: dict[str, Array]
    rows: int


class _Column(NamedTuple):
    """An input `[N, width]`, with a reader for each datatype and one for cells of rows."""

    width: int
    readers: Mapping[str, Read]
    own: Read | None


class Quick:
    """The fast path for models whose inputs are columns and matrices of one batch; for others no request is plain."""

    def __init__(self, signature: Signature) -> None:
        inputs = signature.inputs
        fits = all(len(t.shape) == 2 and isinstance(t.shape[0], str) and isinstance(t.shape[1], int) for t in inputs)
        plain = fits and len({t.shape[0] for t in inputs}) == 1
        self._columns = {t.name: _column(t) for t in inputs} if plain else {}

    def of_tensors(self, tensors: Any, most: int = 0) -> Feeds | None:
        """The feeds from the protocol's tensors, `most` rows where that is not 0; None where not all is plain."""
        if type(tensors) is not list or len(tensors) != len(self._columns):
            return None
        found: dict[str, Array] = {}
        rows = 0
        for tensor in tensors:
            if type(tensor) is not dict or (len(tensor) != 4 and not _means_nothing(tensor.get("parameters"))):
                return None
            shape, data = tensor.get("shape"), tensor.get("data")
            if type(shape) is not list or len(shape) != 2 or type(data) is not list:
                return None
            n, width = shape
            if type(n) is not int or type(width) is not int or len(data) != n * width:
                return None
            name, datatype = tensor.get("name"), tensor.get("datatype")
            if type(name) is not str or type(datatype) is not str:
                return None
            column = self._columns.get(name)
            if column is None or column.width != width or not data or (found and n != rows):
                return None
            read = column.readers.get(datatype)
            values = read(data) if read is not None else None
            if values is None:
                return None
            rows = n
            found[name] = values.reshape(n, width)
        return self._all(found, rows, most)

    def of_cells(self, cells: Mapping[str, list[Any]], most: int = 0) -> Feeds | None:
        """The feeds from columns of cells, those of a matrix being rows; None where not all is plain."""
        found: dict[str, Array] = {}
        rows = 0
        for name, data in cells.items():
            column = self._columns.get(name)
            if column is None or column.own is None or type(data) is not list or not data:
                return None
            n = len(data)
            if found and n != rows:
                return None
            if column.width > 1:
                if not all(type(row) is list and len(row) == column.width for row in data):
                    return None
                data = [cell for row in data for cell in row]
            values = column.own(data)
            if values is None:
                return None
            rows = n
            found[name] = values.reshape(n, column.width)
        return self._all(found, rows, most)

    def _all(self, found: dict[str, Array], rows: int, most: int) -> Feeds | None:
        whole = found and len(found) == len(self._columns) and (rows <= most or not most)
        return Feeds(found, rows) if whole else None


def _means_nothing(parameters: Any) -> bool:
    """Whether a tensor's parameters are irrelevant here, such as the sender's own content type."""
    return parameters is None or (type(parameters) is dict and parameters.get("binary_data_size") is None)


def _column(spec: TensorSpec) -> _Column:
    readers = dict(_readers(spec))
    return _Column(spec.width, readers, readers.get(wire_of(spec)))


def _readers(spec: TensorSpec) -> Iterable[tuple[str, Read]]:
    rules = spec.features or (spec,)
    closed = next((r.values for r in rules if r.values is not None), None)
    if closed is not None and spec.features:
        return
    known = None if closed is None else frozenset(closed)
    low, high = max(map(low_of, rules)), min(map(high_of, rules))
    if spec.is_text and not spec.features:
        yield "BYTES", _texts(spec, known)
    elif spec.dtype == "bool" and known is None:
        yield "BOOL", _numbers({bool}, low, high, np.bool_, None)
    elif spec.dtype in (*FLOATS, *INTEGERS):
        yield from _whole(spec, low, high, known)
        if spec.dtype in FLOATS:
            yield from _reals(spec, low, high, known, all(r.nullable for r in rules))


def _whole(spec: TensorSpec, low: float, high: float, known: frozenset[Any] | None) -> Iterable[tuple[str, Read]]:
    """Readers of whole numbers, in every datatype that has them; for a column of whole numbers `FP64` too."""
    for name, dtype in DTYPES.items():
        if dtype.kind in "iu" or (name == "FP64" and spec.dtype in INTEGERS):
            kinds = [np.iinfo(d) for d in (dtype, np.dtype(spec.dtype)) if d.kind in "iu"]
            least = max([-EXACT, low, *(k.min for k in kinds)])
            most = min([EXACT, high, *(k.max for k in kinds)])
            yield name, _numbers({int}, least, most, spec.dtype, known)


def _reals(
    spec: TensorSpec, low: float, high: float, known: frozenset[Any] | None, nullable: bool
) -> Iterable[tuple[str, Read]]:
    """Readers of floats; a tensor in single precision rounds its cells before the checks."""
    bound = 3e38 if spec.dtype == "float32" else 1e308
    least, most = max(low, -bound), min(high, bound)
    yield "FP64", _numbers({float, int}, least, most, spec.dtype, known, nullable)
    if spec.dtype == "float32" and known is None:
        inner, outer = np.float32(least), np.float32(most)
        least = float(inner if inner >= least else np.nextafter(inner, np.float32(np.inf)))
        most = float(outer if outer <= most else np.nextafter(outer, np.float32(-np.inf)))
        yield "FP32", _numbers({float, int}, least, most, spec.dtype, None, nullable)


def _numbers(
    types: set[type], least: float, most: float, dtype: Any, known: frozenset[Any] | None, nullable: bool = False
) -> Read:
    kinds = frozenset(types)

    def allows(cells: list[Any]) -> bool:
        if not kinds.issuperset(map(type, cells)) or not least <= min(cells) or not max(cells) <= most:
            return False
        return known is None or known.issuperset(cells)

    def read(cells: list[Any]) -> Array | None:
        if allows(cells):
            return np.array(cells, dtype)
        if nullable and None in cells:
            there = [v for v in cells if v is not None]
            if not there or allows(there):
                return np.array([math.nan if v is None else v for v in cells], dtype)
        return None

    return read


def _texts(spec: TensorSpec, known: frozenset[Any] | None) -> Read:
    kinds = frozenset((str, type(None)) if spec.nullable else (str,))
    known = None if known is None else known | {None}
    missing, stands = spec.missing or None, spec.missing

    def read(cells: list[Any]) -> Array | None:
        if not kinds.issuperset(map(type, cells)) or (known is not None and not known.issuperset(cells)):
            return None
        if missing is not None and missing in cells:
            return None
        return np.array([stands if v is None else v for v in cells], object)

    return read
