"""Package recipes: the numeric output of a prepped recipe."""

from __future__ import annotations

from ._form.columns import Columns
from ._form.form import Fields
from ._form.preprocessing import Prepared
from ._registry import Kind, Outputs


def _convert(fields: Fields, columns: Columns) -> Outputs:
    prepared = Prepared(columns)
    prepared.apply(fields.each("steps"))
    return {"transformed": prepared.matrix(tuple(prepared.inputs))}


KIND = Kind(_convert)
