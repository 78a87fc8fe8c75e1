"""PyTorch modules: exported programs, whole modules, and weights with the user's own code.

The original is the module in eval mode on the CPU; the graph comes from torch.export and ONNX's own exporter of torch,
with translations of ours where that one is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .._worker.batch_axis import output_shapes, rows_alone
from ..image import HELP, NCHW, arranged, marked, only_declared
from ..needs import Requirement
from ..plugin import TEXT, Converter, Export, Option, Original, Probing, Source
from ..spec import BATCH, Description, Range, Signature, Table, TensorSpec
from .dims import Axes, axes_of
from .model import TorchModel, tensors, wrapped
from .purity import check_pure

ONNX = ("onnx>=1.16", "onnxscript>=0.6")
"""What torch's exporter needs beside torch."""


def load(path: Path, given: Mapping[str, Any]) -> TorchModel:
    """The program or the module of a file."""
    from . import loading

    return wrapped(loading.load(path, given), given)


def describe(model: TorchModel) -> Description:
    """The module's class and its size; its inputs are those of the example."""
    parameters = sum(each.numel() for each in model.module.parameters())
    title = f"{model.title} (PyTorch, {parameters:,} parameters)"
    return Description(title=title, task="graph", features=(), named=False, tensors=True)


def named(model: TorchModel, table: Table) -> Table:
    """The example's tensors under the names of the module's inputs."""
    return model.call(tuple(table)).renamed(table)


def images(model: TorchModel, pixels: Any) -> Table:
    """The example of images for the one image input, in torch's own layout where the user says none."""
    image = only_declared(model.given.get("image", ""))
    return {image.name: arranged(pixels, image.layout or NCHW, image.order)}


def adapt(model: TorchModel, description: Description) -> Description:
    """The description with the inputs of the example and the dimensions that its answers show."""
    example = description.example or {}
    axes = axes_of(model.given.get("dynamic", ""), {name: values.ndim for name, values in example.items()})
    inputs = tuple(_spec(name, values, axes.get(name, {})) for name, values in example.items())
    inputs = marked(inputs, model.given.get("image", ""))
    found = replace(description, inputs=inputs, ranges=_ranges(axes))
    try:
        model.outputs(example)
    except Exception:  # an example that does not fit is refused where it is first asked
        return found
    answers = check_pure(model.module, lambda: model.outputs(example))
    if not rows_alone(model.outputs, inputs, example, answers):
        inputs = tuple(_without_batch(t) for t in inputs)
    shapes = output_shapes(model.outputs, inputs, dict.fromkeys(answers), example, answers)
    return replace(found, inputs=inputs, outputs=shapes)


def _spec(name: str, values: Any, free: Mapping[int, Range]) -> TensorSpec:
    shape = tuple(free[axis].name if axis in free else size for axis, size in enumerate(values.shape))
    return TensorSpec(name, values.dtype.name, shape)


def _ranges(axes: Axes) -> tuple[Range, ...]:
    found = {free.name: free for by_axis in axes.values() for free in by_axis.values()}
    return tuple(free for free in found.values() if free != Range(free.name))


def _without_batch(spec: TensorSpec) -> TensorSpec:
    """The input whose first axis is free, but no batch: an answer to some rows is no part of the answer to all."""
    return replace(spec, shape=tuple("rows" if d == BATCH else d for d in spec.shape))


def predict(model: TorchModel, x: Table) -> Table:
    """The module's answers, arrays by output name."""
    return model.outputs(x)


def quick(model: TorchModel, x: Table) -> object:
    """The same, as tensors."""
    return model.answer(x)


def convert(model: TorchModel, description: Description, signature: Signature, real: str, out: Path) -> None:
    """Writes the graph of the module: captured, mended and translated (see `exporting`)."""
    from .exporting import export

    example = description.example or {}
    args, kwargs = model.call(tuple(example)).arguments(tensors(example))
    promises = [_promise(spec, signature) for spec in signature.inputs]
    names = [t.in_graph for t in signature.inputs], [t.name for t in signature.outputs]
    export(model.module, args, kwargs, promises, names, out)


def _promise(spec: TensorSpec, signature: Signature) -> dict[int, tuple[str, int, int | None]]:
    """The free axes of an input, with the name and the sizes of each."""
    ranges = {each.name: each for each in signature.ranges}
    free = {axis: dim for axis, dim in enumerate(spec.shape) if isinstance(dim, str)}
    found = {axis: ranges.get(dim, Range(dim)) for axis, dim in free.items()}
    return {axis: (each.name, each.least, each.most) for axis, each in found.items()}


def precisions(model: TorchModel) -> tuple[str, ...]:
    """One form: the module's own, named after the floats of most of its parameters."""
    sizes: dict[str, int] = {}
    for each in model.module.parameters():
        dtype = str(each.dtype).replace("torch.", "")
        sizes[dtype] = sizes.get(dtype, 0) + each.numel()
    kinds = {kind: size for kind, size in sizes.items() if kind in ("float16", "float32", "float64")}
    return (max(kinds, key=lambda kind: kinds[kind]) if kinds else "float32",)


CONVERTER = Converter(
    name="torch",
    source=Source(
        packages=("torch", "torchvision"),
        containers=("pt2", "torch", "torch_weights", "torchscript", "safetensors"),
        load=load,
        prepare=wrapped,
        options=(
            Option(
                "dynamic",
                "Free axes: x.0:batch,x.1:length[1..512] (input, axis, name, range). Default: the first of each input.",
                kind=TEXT,
                default="",
            ),
            Option("image", f"{HELP} A folder of images as the example: x:nhwc, x:chw or x:hwc, else nchw.", kind=TEXT),
            Option("factory", "module:function in --code that makes the module for a file of weights.", kind=TEXT),
        ),
    ),
    original=Original(describe=describe, predict=predict, quick=quick),
    export=Export(convert=convert, precisions=precisions, packages=ONNX),
    probing=Probing(adapt=adapt, named=named, images=images),
    needs=(
        Requirement("torch>=2.10", "torch", "PyTorch modules, in the interpreter given with --python"),
        Requirement("onnxscript>=0.6", "torch"),
    ),
)
