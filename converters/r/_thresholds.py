"""The values worth probing that the R side declares."""

from __future__ import annotations

from ._form.form import Fields
from ._registry import Thresholds


def thresholds_in(fields: Fields) -> Thresholds:
    """Returns, by column, the numbers in the field `thresholds`."""
    named = fields.values.get("thresholds")
    if not isinstance(named, dict):
        return {}
    found = fields.of("thresholds")
    return {name: found.numbers(name).ravel().tolist() for name in named}
