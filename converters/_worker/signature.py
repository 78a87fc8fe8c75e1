"""What a model takes and gives, from what it says of itself, the example and its own answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..spec import COLUMN, MATRIX, Description, Dim, Feature, Signature, Table, TensorSpec, Unreadable

if TYPE_CHECKING:
    import numpy as np

CATEGORY, FACTOR = "category", "factor"
MATRIX_INPUT = "X"
"""What the one input of a model is called that was fitted on a matrix without names."""
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
        inputs if description.inputs else _apart(inputs, answers),
        tuple(_output(name, values, description) for name, values in answers.items()),
        description.classes,
    )


def _apart(inputs: tuple[TensorSpec, ...], outputs: Collection[str]) -> tuple[TensorSpec, ...]:
    """The inputs, those that the graph cannot call as they are (like an output, or nothing) with a name for it."""
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
    """One input per column of a model that knows names, one text, one matrix, or those of an ONNX file."""
    if description.inputs:
        return description.inputs
    if description.document:
        return (TensorSpec("text", "string", ("N", 1), missing=MISSING_TEXT, kind=COLUMN),)
    if not description.named:
        return (_matrix_input(description, example),)
    columns = (_column_input(f, example, frame_dtypes.get(f.name, "")) for f in description.features)
    return tuple(replace(column, sparse=description.sparse, absent=description.absent) for column in columns)


def _matrix_input(description: Description, example: Table) -> TensorSpec:
    matrix = example[MATRIX_INPUT]
    width = len(description.features)
    if matrix.ndim != 2 or matrix.shape[1] != width:
        raise Unreadable(f"the model takes {width} columns, the example has {matrix.shape[1:]}")
    spec = TensorSpec(MATRIX_INPUT, _dtype_of(matrix), ("N", width), nullable=True, kind=MATRIX)
    return replace(spec, sparse=description.sparse, absent=description.absent)


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
        kept = CATEGORY  # a file that remembers no categories: the model knows its own
    elif dtype != "float64" and kept.startswith("bool "):
        kept = "category" if kept == "bool category" else ""
    shape = ("N", 1)
    spec = TensorSpec(feature.name, dtype, shape, nullable=nullable, missing=missing, frame_dtype=kept, kind=COLUMN)
    return replace(spec, values=(0.0, 1.0)) if spec.is_truth else spec


def _output(name: str, values: np.ndarray[Any, Any], description: Description) -> TensorSpec:
    shape = _shape(name, values, description)
    kept = description.inputs and values.dtype.kind not in "OU"
    spec = TensorSpec(name, values.dtype.name if kept else _dtype_of(values), shape)
    by_target = {f"probabilities_{i}": classes for i, classes in enumerate(description.targets)}
    classes = {"probabilities": description.classes, **by_target}.get(name, ())
    return replace(spec, columns=tuple(map(str, classes))) if classes and len(classes) == values.shape[-1] else spec


def _shape(name: str, values: np.ndarray[Any, Any], description: Description) -> tuple[Dim, ...]:
    """The example's own sizes; the graph's names of sizes where they follow from those of the inputs."""
    own = description.outputs.get(name, ())
    free = any(isinstance(d, str) for t in description.inputs for d in t.shape[1:])
    if not free or len(own) != values.ndim:
        return ("N", *values.shape[1:])
    return ("N", *(d if isinstance(d, str) else size for d, size in zip(own[1:], values.shape[1:])))


def _dtype_of(values: np.ndarray[Any, Any]) -> str:
    kinds = {"f": "float64", "i": "int64", "u": "int64", "b": "bool", "O": "string", "U": "string"}
    if values.dtype.kind not in kinds:
        raise Unreadable(f"values of type {values.dtype} have no place in a graph: give numbers, text or booleans")
    return kinds[values.dtype.kind]
