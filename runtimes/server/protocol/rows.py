"""Converts rows (objects by column name, or lists in order) to the model's columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlpack_toolkit.converters.spec import Table, TensorSpec

from ...engine.columns import missing
from ...engine.errors import Refusal
from ...engine.tensors import Array, array_of, wire_of, wrong
from ..model import Model

_WANTED = {"BYTES": "text", "BOOL": "true or false", "FP64": "a number"}

Cells = dict[str, list[Any]]
"""Columns by name, with cells as JSON values; those of a matrix are lists."""


class RowCells(Cells):
    """The cells of rows, without lists in a column of one value; a sender's columns may be nested."""


def cells_of_rows(model: Model, rows: Any, most: int = 0) -> Cells:
    """The columns of rows: objects, lists, or bare values where the model has one column; raises `Refusal`."""
    if type(rows) is not list:
        raise Refusal("the rows must be a list")
    within(len(rows), most)
    return _by_name(model, rows) if rows and type(rows[0]) is dict else _in_order(model, rows)


def within(rows: int, most: int) -> None:
    """Raises `Refusal` for more rows than the server takes at once."""
    if most and rows > most:
        raise Refusal(f"{rows} rows, and this server takes {most} at once: send fewer", 413, "too_many_rows")


def _by_name(model: Model, rows: list[Any]) -> Cells:
    named = _named_matrix(model)
    if named and type(rows[0]) is dict and model.inputs[0].name not in rows[0]:
        cells = [[row[n] for n in named.columns] for row in _checked(model, rows, frozenset(named.columns))]
        return RowCells({named.name: cells})
    rows = _checked(model, rows, frozenset(model.columns.columns))
    return RowCells({name: [row[name] for row in rows] for name in model.columns.columns})


def _named_matrix(model: Model) -> TensorSpec | None:
    """The only input, where it is a matrix whose columns have names."""
    spec = model.inputs[0] if len(model.inputs) == 1 else None
    return spec if spec is not None and len(spec.shape) == 2 and len(spec.columns) == spec.shape[1] else None


def _checked(model: Model, rows: list[Any], wanted: frozenset[str]) -> list[dict[str, Any]]:
    """The rows, each an object with all required columns and no unknown ones."""
    for i, row in enumerate(rows):
        if type(row) is not dict:
            raise Refusal(f"row {i}: it must be an object, as the first row is")
        if row.keys() == wanted:
            continue
        absent = sorted(wanted - row.keys())
        if absent:
            raise Refusal(f"row {i}: {missing(absent)}")
        for name in row:
            if name not in wanted and name not in model.columns.known:
                raise model.columns.stranger(name, f"row {i}: ")
    return rows


def _in_order(model: Model, rows: list[Any]) -> Cells:
    """Cells by column, from rows that are lists in the order of the model's columns, or bare values."""
    inputs = model.signature.inputs
    if len(inputs) == 1:
        alone = len(inputs[0].shape) < 2 or inputs[0].shape[1:] == (1,)
        for i, row in enumerate(rows):
            if type(row) is dict:
                raise Refusal(f"row {i}: it must be no object, as the first row is none")
            if alone and type(row) is list and len(row) != 1:
                raise Refusal(f"row {i}: it has {len(row)} cells, the model has one column")
        return RowCells({inputs[0].name: [r[0] if alone and type(r) is list else r for r in rows]})
    for i, row in enumerate(rows):
        if type(row) is not list:
            raise Refusal(f"row {i}: it must be {'an object or a list' if not i else 'a list, as the first row is'}")
        if len(row) != len(inputs):
            raise Refusal(f"row {i}: it has {len(row)} cells, the model has {len(inputs)} columns")
    columns = list(zip(*rows, strict=True)) or [()] * len(inputs)
    asked = model.columns.columns
    return RowCells({t.name: list(c) for t, c in zip(inputs, columns, strict=True) if t.name in asked})


def table_of_cells(model: Model, cells: Mapping[str, Any]) -> dict[str, Array]:
    """The arrays of columns that are lists of cells, one per row; raises `Refusal`."""
    table = {}
    for name, column in cells.items():
        held = model.columns.columns.get(name)
        if held is not None:
            if type(cells) is RowCells:
                _require_single_cells(held.spec, column)
            table[name] = _array(held.spec, column)
        elif name not in model.columns.known:
            raise model.columns.stranger(name)
    return table


def _require_single_cells(spec: TensorSpec, column: list[Any]) -> None:
    """Raises `Refusal` for a list where a row has one cell."""
    if len(spec.shape) == 1 or spec.shape[1:] == (1,):
        row = next((i for i, cell in enumerate(column) if type(cell) is list), None)
        if row is not None:
            raise wrong(spec.name, row, column[row], _WANTED.get(wire_of(spec), "a whole number"))


def _array(spec: TensorSpec, column: Any) -> Array:
    if type(column) is not list:
        raise Refusal(f"column {spec.name!r}: its cells must be a list, one for each row")
    if not spec.shape or spec.batch_axis not in (None, 0):
        raise Refusal(f"input {spec.name!r}: rows are not its first dimension: ask the model by /v2")
    dims = [d if isinstance(d, int) else _length(column, depth) for depth, d in enumerate(spec.shape[1:])]
    if spec.is_truth:
        column = [float(v) if type(v) is bool else v for v in column]
    flat = [1] if dims == [1] and not (column and type(column[0]) is list) else dims
    return array_of({"name": spec.name, "datatype": wire_of(spec), "shape": [len(column), *flat], "data": column})


def _length(column: Any, depth: int) -> int:
    """The length of the lists at a depth, from the first of them."""
    for _ in range(depth + 1):
        column = column[0] if type(column) is list and column else None
    return len(column) if type(column) is list else 0


def ask_cells(model: Model, cells: Mapping[str, Any], most: int = 0) -> Table:
    """The answers to columns of cells, one for each row; raises `Refusal`."""
    feeds = model.quick.of_cells(cells, most)
    if feeds is not None:
        return _for_each_row(model, model.run(feeds.arrays), feeds.rows)
    table = table_of_cells(model, cells)
    rows = max((len(v) for v in table.values() if v.ndim), default=0)
    return _for_each_row(model, model.ask(table, most_rows=most), rows)


def _for_each_row(model: Model, answers: Table, rows: int) -> Table:
    elsewhere = {t.name for t in model.signature.outputs if t.batch_axis not in (None, 0)}
    other: Sequence[str] = [n for n, v in answers.items() if n in elsewhere or v.shape[:1] != (rows,)]
    if other:
        raise Refusal(f"the output {other[0]!r} has no answer for each row: ask the model by /v2")
    return answers
