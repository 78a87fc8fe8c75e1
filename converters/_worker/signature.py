"""Derives a model's signature from its description, the example and its answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..spec import MATRIX, Cells, Description, Dim, Feature, Signature, Table, TensorSpec, Unreadable

if TYPE_CHECKING:
    import numpy as np

CATEGORY, FACTOR = "category", "factor"
MATRIX_INPUT = "X"
"""The input's name for a model that was fitted on a matrix without column names."""
MISSING_TEXT = ""
MISSING_TEXT_WHERE_EMPTY_IS_KNOWN = "\uffff"


def signature_of(
    description: Description, example: Table, answers: Table, frame_dtypes: Mapping[str, str] | None = None
) -> Signature:
    """The signature in float64; `Signature.in_precision` gives the other form."""
    if "label" in answers and answers["label"].ndim > 1:
        description = replace(description, classes=())
    inputs = inputs_of(description, example, frame_dtypes or {})
    return Signature(
        description.task,
        inputs if description.inputs and not description.tensors else _apart(inputs, answers),
        tuple(_output(name, values, description) for name, values in answers.items()),
        description.classes,
        description.ranges,
    )


def _apart(inputs: tuple[TensorSpec, ...], outputs: Collection[str]) -> tuple[TensorSpec, ...]:
    """The inputs; one whose name cannot be used in the graph (an output's, or empty) gets another there."""
    taken = {t.name for t in inputs}.union(outputs, [""])
    found = []
    for spec in inputs:
        name = spec.name
        while spec.name in ("", *outputs) and name in taken:
            name = f"input_{name}"
        taken.add(name)
        found.append(spec if name == spec.name else replace(spec, graph_name=name))
    return tuple(found)


def inputs_of(description: Description, example: Table, frame_dtypes: Mapping[str, str]) -> tuple[TensorSpec, ...]:
    """One input per named column, one text, one matrix, or the inputs of an ONNX file."""
    if description.inputs:
        return description.inputs
    if description.document:
        return (TensorSpec("text", "string", ("N", 1), Cells(missing=MISSING_TEXT)),)
    if not description.named:
        return (_matrix_input(description, example),)
    columns = (_column_input(f, example, frame_dtypes.get(f.name, "")) for f in description.features)
    return tuple(column.with_cells(sparse=description.sparse, absent=description.absent) for column in columns)


def _matrix_input(description: Description, example: Table) -> TensorSpec:
    matrix = example[MATRIX_INPUT]
    width = len(description.features)
    if matrix.ndim != 2 or matrix.shape[1] != width:
        raise Unreadable(f"the model takes {width} columns, the example has {matrix.shape[1:]}")
    cells = Cells(nullable=True, kind=MATRIX, sparse=description.sparse, absent=description.absent)
    return TensorSpec(MATRIX_INPUT, _dtype_of(matrix), ("N", width), cells)


def _column_input(feature: Feature, example: Table, frame_dtype: str) -> TensorSpec:
    dtype = _dtype_of(example[feature.name])
    missing = None
    if dtype == "string":
        missing = MISSING_TEXT_WHERE_EMPTY_IS_KNOWN if feature.knows_empty else MISSING_TEXT
    nullable = dtype in ("string", "float64")
    kept = frame_dtype if frame_dtype not in ("object", "str", "string") else ""
    if feature.kind == FACTOR:
        kept = FACTOR
    elif feature.kind == CATEGORY and not kept:
        kept = CATEGORY  # the file keeps no categories: the model knows its own
    elif dtype != "float64" and kept.startswith("bool "):
        kept = "category" if kept == "bool category" else ""
    cells = Cells(nullable=nullable, missing=missing, frame_dtype=kept)
    spec = TensorSpec(feature.name, dtype, ("N", 1), cells)
    return spec.with_cells(values=(0.0, 1.0)) if spec.is_truth else spec


def _output(name: str, values: np.ndarray[Any, Any], description: Description) -> TensorSpec:
    shape = _shape(name, values, description)
    kept = description.inputs and values.dtype.kind not in "OU"
    spec = TensorSpec(name, description.types.get(name, values.dtype.name) if kept else _dtype_of(values), shape)
    by_target = {f"probabilities_{i}": classes for i, classes in enumerate(description.targets)}
    classes = {"probabilities": description.classes, **by_target}.get(name, ())
    known = classes and len(classes) == values.shape[-1]
    return spec.with_cells(columns=tuple(map(str, classes))) if known else spec


def _shape(name: str, values: np.ndarray[Any, Any], description: Description) -> tuple[Dim, ...]:
    """The example's sizes for each row; for a model of tensors, its own dimensions."""
    return description.outputs.get(name, ("N", *values.shape[1:]))


def _dtype_of(values: np.ndarray[Any, Any]) -> str:
    kinds = {"f": "float64", "i": "int64", "u": "int64", "b": "bool", "O": "string", "U": "string"}
    if values.dtype.kind not in kinds:
        raise Unreadable(f"values of type {values.dtype} cannot be in a graph: give numbers, text or booleans")
    return kinds[values.dtype.kind]
