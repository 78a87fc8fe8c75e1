"""A model inside another one: its own kind, on columns that the outer one has prepared."""

from __future__ import annotations

from ._form.form import Fields, Input
from ._form.preprocessing import Prepared
from ._registry import Outputs, kind_of


def inner_outputs(inner: Fields, prepared: Prepared) -> Outputs:
    """What the inner model answers; a factor of its own keeps the levels that it says."""
    inputs = tuple(_input(each) for each in inner.each("inputs"))
    values = {each.name: prepared.values[each.name] for each in inputs if each.name in prepared.values}
    columns = prepared.columns().holding(inputs, values)
    return kind_of(inner.text("kind")).convert(inner, columns)


def _input(fields: Fields) -> Input:
    return Input(fields.text("name"), fields.text("type"), fields.texts("levels"), fields.flag("open"))
