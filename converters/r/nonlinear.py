"""Least squares of an expression: `nls`."""

from __future__ import annotations

from ._columns import Columns
from ._expressions import Expressions
from ._form import Fields
from ._kinds import Kind, Outputs


def _convert(fields: Fields, columns: Columns) -> Outputs:
    return {"prediction": Expressions(columns).value(fields.of("expression"))}


KIND = Kind(_convert)
