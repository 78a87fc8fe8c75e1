"""From a module to an ONNX file: torch.export, then torch's own exporter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..graph_file import DATA, LARGE
from ..spec import Signature, Table, TensorSpec
from .call import Call
from .model import TorchModel, tensors


def export(model: TorchModel, call: Call, example: Table, signature: Signature, out: Path) -> None:
    """Writes the graph of the module to `out`, the weights of a large one beside it.

    `example`: tensors by the names of `call`; `signature`: the names of inputs and outputs, and the free dimensions.
    """
    import onnx_ir
    import torch

    args, kwargs = call.arguments(tensors(example))
    dynamic_args, dynamic_kwargs = call.build([_free(spec) for spec in signature.inputs])
    program = torch.export.export(model.module, args, kwargs, dynamic_shapes=(*dynamic_args, *dynamic_kwargs.values()))
    names = [t.in_graph for t in signature.inputs], [t.name for t in signature.outputs]
    made = torch.onnx.export(program, input_names=names[0], output_names=names[1], verbose=False)
    size = sum(each.const_value.nbytes for each in made.model.graph.initializers.values())
    onnx_ir.save(made.model, out, external_data=DATA if size > LARGE else None)


def _free(spec: TensorSpec) -> Any:
    import torch

    return {axis: torch.export.Dim.DYNAMIC for axis, dim in enumerate(spec.shape) if isinstance(dim, str)} or None
