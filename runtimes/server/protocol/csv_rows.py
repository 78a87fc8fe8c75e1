"""Reads the rows of a csv body, each cell by its column's type."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from typing import Any

from mlpack_toolkit.converters.spec import REALS, TensorSpec

from ...engine.errors import Refusal
from ..model import Model
from .rows import Cells, cells_of_rows, within

MISSING = {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A"}
MISSING |= {"NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
"""The cells that mean "missing": those of `pandas.read_csv`, as in `mlpack predict`."""


def cells_of_csv(model: Model, body: bytes, headed: bool, most: int = 0) -> Cells:
    """The columns of a csv body; `headed`: its first line names them. Raises `Refusal`."""
    try:
        lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig")), strict=True))
    except UnicodeDecodeError:
        raise Refusal("the csv is not UTF-8") from None
    except csv.Error as error:
        raise Refusal(f"the csv cannot be read: {error}") from None
    lines = [line for line in lines if line] or lines[:0]
    alone = model.inputs[0] if len(model.inputs) == 1 and len(model.inputs[0].shape) == 2 else None
    if alone is not None and not alone.is_text and alone.shape[1] != 1:
        return _matrix(model, alone, lines, headed, most)
    if not headed:
        within(len(lines), most)
        inputs = model.signature.inputs
        rows = [[_cell(t, i, v) for t, v in zip(inputs, line, strict=False)] for i, line in enumerate(lines)]
        return cells_of_rows(model, [r + [""] * (len(x) - len(r)) for r, x in zip(rows, lines, strict=True)])
    return _named(model, lines, most)


def _named(model: Model, lines: list[list[str]], most: int) -> Cells:
    if not lines:
        raise Refusal("the csv is empty: its first line must name the columns")
    head, lines = lines[0], lines[1:]
    within(len(lines), most)
    doubled = [name for name in head if head.count(name) > 1]
    if doubled:
        raise Refusal(f"the csv has the column {doubled[0]!r} twice")
    absent = [name for name in model.columns.columns if name not in head]
    if absent:
        raise Refusal(
            f"the first line of the csv lacks the column {absent[0]!r}; "
            "where it is a row, send Content-Type: text/csv; header=absent"
        )
    _even(lines, len(head))
    specs = {t.name: t for t in model.signature.inputs}
    for name in head:
        if name not in specs:
            raise model.columns.stranger(name)
    return {name: [_cell(specs[name], i, line[at]) for i, line in enumerate(lines)] for at, name in enumerate(head)}


def _matrix(model: Model, spec: TensorSpec, lines: list[list[str]], headed: bool, most: int) -> Cells:
    """The cells of a matrix; a first line that is not all numbers is a header, with the columns in any order."""
    head = lines[0] if headed and lines and not all(_is_number(cell) for cell in lines[0]) else None
    rows = lines[1:] if head is not None else lines
    within(len(rows), most)
    _even(rows, int(spec.shape[1]))
    order: Iterable[int] = range(int(spec.shape[1]))
    if head is not None and spec.columns and sorted(head) == sorted(spec.columns):
        order = [head.index(name) for name in spec.columns]
    return cells_of_rows(model, [[_cell(spec, i, row[at]) for at in order] for i, row in enumerate(rows)])


def _even(lines: list[list[str]], width: int) -> None:
    for i, line in enumerate(lines):
        if len(line) != width:
            raise Refusal(f"row {i}: it has {len(line)} cells, there must be {width}")


def _is_number(cell: str) -> bool:
    try:
        _real(cell)
    except ValueError:
        return cell in MISSING
    return True


def _real(cell: str) -> float:
    if "_" in cell:
        raise ValueError(cell)
    return float(cell)


def _cell(spec: TensorSpec, row: int, cell: str) -> Any:
    """A cell as in JSON: null where it is missing."""
    if cell in MISSING:
        return None
    if spec.is_text:
        return cell
    if spec.dtype == "bool" or (spec.is_truth and cell.lower() in ("true", "false")):
        return {"true": True, "false": False}.get(cell.lower(), cell)
    try:
        if spec.dtype in REALS:
            value = _real(cell)
            return value if math.isfinite(value) else {math.inf: "Infinity", -math.inf: "-Infinity"}[value]
        return int(cell) if cell.lstrip("+-").isdecimal() and len(cell) < 40 else _real(cell)
    except ValueError:
        raise Refusal(
            f"row {row}, column {spec.name!r}: the text {cell[:40]!r}, and the model takes a number here"
        ) from None
