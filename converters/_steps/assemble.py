"""Assembles a graph from a fitted object: the signature's inputs, the object's step, the signature's outputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from .._graph.builder import GraphBuilder, Value
from ..spec import Description, Signature, TensorSpec, Unsupported
from .lookup import convert
from .step import Answer


def assemble(model: Any, description: Description, signature: Signature, real: str, out: Path) -> None:
    """Writes the ONNX model to `out`; see `Converter.convert`."""
    graph = GraphBuilder(real)
    graph.reserve(spec.name for spec in signature.outputs)
    frame = tuple(_input(spec, description, graph) for spec in signature.inputs)
    answer = convert(model, frame, graph)
    for spec in signature.outputs:
        value = _value_of(spec, answer, signature, graph)
        graph.output(spec.name, _shaped(value, spec, graph), spec.dtype, spec.shape)
    graph.write(out)


def _input(spec: TensorSpec, description: Description, graph: GraphBuilder) -> Value:
    """Adds an input, with the example's cells where it is a single column."""
    value = graph.input(spec)
    cells = (description.example or {}).get(spec.name)
    objects = spec.is_text or spec.frame_dtype == "bool object"
    none = objects and any(f.name == spec.name and f.missing == "none" for f in description.features)
    unit = spec.frame_dtype[len("datetime64[") : -1] if spec.is_date else ""
    return replace(value, cells=cells, none=none, unit=unit) if value.width == 1 else value


def _value_of(spec: TensorSpec, answer: Answer, signature: Signature, graph: GraphBuilder) -> str:
    if spec.name == "label" and answer.index is not None:
        return graph.op("Gather", graph.const(_array(signature.classes, spec.dtype), spec.dtype), answer.index)
    if spec.name == "transformed" and answer.transformed is not None:
        return graph.matrix(answer.transformed, spec.dtype).name
    names = {
        "label": answer.label,
        "probabilities": answer.probabilities,
        "decision_function": answer.decision,
        "prediction": answer.prediction,
        "score_samples": answer.density,
        **{f"probabilities_{i}": value for i, value in enumerate(answer.several)},
    }
    value = names.get(spec.name)
    if value is None:
        raise Unsupported(f"the converter does not produce the output {spec.name!r}")
    return value


def _array(values: tuple[Any, ...], dtype: str) -> Any:
    import numpy as np

    return np.array(values, object if dtype == "string" else dtype)


def _shaped(value: str, spec: TensorSpec, graph: GraphBuilder) -> str:
    """Reshapes the value to exactly the signature's rank."""
    return graph.op("Reshape", value, graph.const([-1, *spec.shape[1:]], "int64"))
