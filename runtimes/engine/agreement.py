"""Compares a graph with its signature before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mlpack_toolkit.converters.spec import Signature, TensorSpec

from .engine import Engine
from .errors import Damaged

_TYPES = {"float32": "float", "float64": "double"}


def check_agreement(session: Engine, signature: Signature) -> None:
    """Raises `Damaged` where the graph does not fit the signature."""
    fault = next(disagreements(session.graph_inputs, session.graph_outputs, signature), "")
    if fault:
        raise Damaged(f"the graph is not the one that the signature describes: {fault}")


def disagreements(inputs: Sequence[Any], outputs: Sequence[Any], signature: Signature) -> Iterator[str]:
    """The first difference between graph and signature, in words; `inputs`, `outputs`: ONNX Runtime's descriptions."""
    described = {spec.in_graph: spec for spec in signature.inputs}
    for found in inputs:
        if found.name not in described:
            yield f"it takes an input {found.name!r}, which the signature lacks"
        else:
            spec = described[found.name]
            yield from _other("input", found, spec)
            if any(isinstance(a, int) and isinstance(b, str) for a, b in zip(found.shape[1:], spec.shape[1:])):
                yield f"the input {spec.name!r} has the shape {found.shape}, and the signature says {list(spec.shape)}"
    given = {found.name: found for found in outputs}
    for spec in signature.outputs:
        if spec.name not in given:
            yield f"it gives no output {spec.name!r}"
        else:
            yield from _other("output", given[spec.name], spec)


def _other(what: str, found: Any, spec: TensorSpec) -> Iterator[str]:
    wanted = f"tensor({_TYPES.get(spec.dtype, spec.dtype)})"
    if found.type != wanted:
        yield f"the {what} {spec.name!r} is {found.type}, and the signature says {spec.dtype}"
    elif found.shape and len(found.shape) != len(spec.shape):
        yield f"the {what} {spec.name!r} has {len(found.shape)} dimensions, and the signature says {len(spec.shape)}"
    elif any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in zip(found.shape, spec.shape)):
        yield f"the {what} {spec.name!r} has the shape {found.shape}, and the signature says {list(spec.shape)}"
