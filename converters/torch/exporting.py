"""From a module to an ONNX file: torch.export, then torch's own exporter."""

from __future__ import annotations

from pathlib import Path

from ..graph_file import DATA, LARGE
from ..spec import Table
from .call import Call
from .dims import Axes
from .model import TorchModel, tensors


def export(model: TorchModel, call: Call, example: Table, axes: Axes, outputs: tuple[str, ...], out: Path) -> None:
    """Writes the graph of the module to `out`, the weights of a large one beside it."""
    import onnx_ir
    import torch

    args, kwargs = call.arguments(tensors(example))
    free = [dict.fromkeys(axes.get(name, {}), torch.export.Dim.DYNAMIC) for name in call.names]
    dynamic_args, dynamic_kwargs = call.build([each or None for each in free])
    dynamic = (*dynamic_args, *dynamic_kwargs.values())
    program = torch.export.export(model.module, args, kwargs, dynamic_shapes=dynamic)
    made = torch.onnx.export(program, input_names=list(call.names), output_names=list(outputs), verbose=False)
    size = sum(each.const_value.nbytes for each in made.model.graph.initializers.values())
    onnx_ir.save(made.model, out, external_data=DATA if size > LARGE else None)
