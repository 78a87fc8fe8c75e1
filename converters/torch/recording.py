"""The program of a module, recorded once for its free sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..spec import Range, Table, TensorSpec
from ._capture import AxisBound, Promise
from .exporting import Recorded, recorded
from .model import TorchModel, tensors
from .scripted import as_module, is_script


def program_of(model: TorchModel, inputs: tuple[TensorSpec, ...], ranges: Sequence[Range], example: Table) -> Recorded:
    """The program that holds for the free sizes of the inputs; raises `Unsupported`."""
    promises = [_promise(spec, ranges) for spec in inputs]
    key = repr(promises)
    if key not in model.recorded:
        args, kwargs = model.call(tuple(example)).arguments(tensors(example))
        module = as_module(model.module, args, kwargs) if is_script(model.module) else model.module
        model.recorded.clear()
        model.recorded[key] = recorded(module, args, kwargs, promises, [t.in_graph for t in inputs])
    found: Recorded = model.recorded[key]
    return found


def _promise(spec: TensorSpec, ranges: Sequence[Range]) -> Promise:
    """The free axes of an input."""
    known = {each.name: each for each in ranges}
    return {axis: known.get(dim, Range(dim)) for axis, dim in enumerate(spec.shape) if isinstance(dim, str)}


def with_own_sizes(
    model: TorchModel, inputs: tuple[TensorSpec, ...], ranges: Sequence[Range], example: Table
) -> tuple[tuple[TensorSpec, ...], tuple[str, ...]]:
    """The inputs with the example's size where the module leaves an axis none, and a sentence for each such axis."""
    notes: tuple[str, ...] = ()
    while True:
        try:
            program_of(model, inputs, ranges, example)
        except AxisBound as bound:
            fixed = tuple(_fixed(spec, bound.axis, example[spec.name]) for spec in inputs)
            if fixed == inputs:
                raise
            inputs, notes = fixed, (*notes, f"one size alone, that of the example: {bound}")
        else:
            return inputs, notes


def _fixed(spec: TensorSpec, dim: str, values: Any) -> TensorSpec:
    sizes = zip(spec.shape, values.shape)
    return replace(spec, shape=tuple(int(size) if each == dim else each for each, size in sizes))
