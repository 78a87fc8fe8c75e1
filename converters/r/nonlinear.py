"""Least squares of an expression: `nls`."""

from __future__ import annotations

from ._form.columns import Columns
from ._form.expressions import Expressions
from ._form.form import Fields
from ._registry import Kind, Outputs


def _convert(fields: Fields, columns: Columns) -> Outputs:
    return {"prediction": Expressions(columns).value(fields.of("expression"))}


KIND = Kind(_convert)
