"""Nested models: converts a model of another kind on columns that the outer model has preprocessed."""

from __future__ import annotations

from ._form.form import Fields, Input
from ._form.preprocessing import Prepared
from ._registry import Outputs, kind_of


def inner_outputs(inner: Fields, prepared: Prepared) -> Outputs:
    """Returns the inner model's outputs; its own factors keep the levels that it declares."""
    inputs = tuple(_input(each) for each in inner.each("inputs"))
    values = {each.name: prepared.values[each.name] for each in inputs if each.name in prepared.values}
    columns = prepared.columns().holding(inputs, values)
    return kind_of(inner.text("kind")).convert(inner, columns)


def _input(fields: Fields) -> Input:
    return Input(fields.text("name"), fields.text("type"), fields.texts("levels"), fields.flag("open"))
