"""PyTorch modules: exported programs, whole modules, and weights with the user's own code.

The original is the module in eval mode on the CPU; the graph comes from torch.export and ONNX's own exporter of torch,
with translations of ours where that one is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from .._worker.batch_axis import output_shapes, rows_alone
from .._worker.free_axes import ranges_of, sizes, spec_of, takes_more, without_batch
from .._worker.gathered import Gathered
from .._worker.tensor_probes import others_than
from ..image import HELP, NCHW, marked, only_image
from ..needs import Requirement
from ..plugin import FILE, FUNCTION, TEXT, Converter, Export, Option, Original, Probing, Saved, Source
from ..spec import Description, Signature, Table, TensorSpec
from . import examples
from .dims import free_axes
from .model import TorchModel, wrapped
from .purity import check_first, check_pure, untouched

ONNX = ("onnx>=1.16", "onnxscript>=0.6")
"""What torch's exporter needs beside torch."""


def load(path: Path, given: Mapping[str, Any]) -> TorchModel:
    """The program or the module of a file."""
    from . import loading

    return wrapped(loading.load(path, given), given)


def save(module: Any, example: Any, given: Mapping[str, Any], folder: Path) -> Saved:
    """The files of a module that a Python program holds."""
    from . import saving

    return saving.save(module, example, given, folder)


def describe(model: TorchModel) -> Description:
    """The module's class and its size; its inputs are those of the example."""
    parameters = sum(each.numel() for each in model.module.parameters())
    title = f"{model.title} (PyTorch, {parameters:,} parameters)"
    return Description(title=title, task="graph", features=(), named=False, tensors=True)


def named(model: TorchModel, table: Table) -> Table:
    """The example's tensors under the names of the module's inputs, of which the user's free axes are axes."""
    found = model.call(tuple(table)).renamed(table)
    free_axes(model, {name: values.shape for name, values in found.items()})
    return found


def images(model: TorchModel, pixels: Any) -> Table:
    """The example of images for the one image input, in torch's own layout where the user says none."""
    return only_image(model.given.get("image", ""), pixels, NCHW)


def adapt(model: TorchModel, description: Description) -> Description:
    """The description with the inputs of the example and the dimensions that its answers show."""
    from .recording import with_own_sizes

    example = description.example or {}
    axes = free_axes(model, {name: values.shape for name, values in example.items()})
    inputs = tuple(spec_of(name, values, axes.get(name, {})) for name, values in example.items())
    inputs = marked(inputs, model.given.get("image", ""))
    found = replace(description, inputs=inputs, ranges=ranges_of(axes))
    new = untouched(model.module) if model.program is None else None
    try:
        fresh = model.outputs(example)
    except Exception:  # an example that does not fit is refused where it is first asked
        return found
    answers = check_pure(model.module, lambda: model.outputs(example), fresh)
    if new is not None:
        for other in others_than(inputs, found.ranges, example):
            if check_first(model.module, untouched(new), partial(_outputs_of, model, other)):
                break
    notes = found.notes
    if not rows_alone(model.outputs, inputs, example, answers):
        inputs, note = _no_batch(model, inputs, example)
        notes = (*notes, note)
    if _by_default(model):
        inputs, bound = with_own_sizes(model, inputs, found.ranges, example)
        notes = (*notes, *bound)
    shapes = output_shapes(model.outputs, inputs, dict.fromkeys(answers), example, answers)
    return replace(found, inputs=inputs, outputs=shapes, notes=notes)


def _outputs_of(model: TorchModel, x: Table, module: Any) -> Table:
    return replace(model, module=module).outputs(x)


def _no_batch(model: TorchModel, inputs: tuple[TensorSpec, ...], example: Table) -> tuple[tuple[TensorSpec, ...], str]:
    """The inputs whose first axes are no batch, and a note on why: of one size alone, or rows that are not alone."""
    rows = tuple(without_batch(t) for t in inputs)
    if _by_default(model) and not takes_more(model.outputs, inputs, example):
        sizes = {t.name: int(example[t.name].shape[0]) for t in inputs if t.batch_axis == 0}
        fixed = tuple(replace(t, shape=(sizes[t.name], *t.shape[1:])) if t.name in sizes else t for t in inputs)
        said = ", ".join(f"{size} in {name!r}" for name, size in sizes.items())
        return fixed, f"the first axis has one size alone ({said}): the module refuses the example with a row more"
    return rows, "the answer to a row depends on the other rows (or is none of its own), so the first axis is no batch"


def _by_default(model: TorchModel) -> bool:
    """Whether nobody said which axes are free."""
    said = model.given.get("dynamic") or model.given.get("other") is not None
    return model.program is None and model.free is None and not said


def predict(model: TorchModel, x: Table) -> Table:
    """The module's answers, arrays by output name."""
    return model.outputs(x)


def quick(model: TorchModel, x: Table) -> object:
    """The same, as tensors."""
    return model.answer(x)


def again(model: TorchModel, x: Table) -> Iterable[Table]:
    """The same answers on other threads, and in float64."""
    return model.again(x)


def parts(model: TorchModel, x: Table, found: Gathered) -> None:
    """The answers of submodules."""
    from .submodules import gather

    gather(model, x, found)


def convert(model: TorchModel, description: Description, signature: Signature, real: str, out: Path) -> None:
    """Writes the graph of the module: captured, mended and translated (see `exporting`)."""
    from .exporting import export
    from .recording import program_of

    names = [t.in_graph for t in signature.inputs], [t.name for t in signature.outputs]
    program = program_of(model, signature.inputs, signature.ranges, description.example or {})
    export(program, names, out, model.stored())


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
        containers=("pt2", "torch", "torch_weights", "torchscript", "safetensors", "safetensors_index"),
        load=load,
        prepare=wrapped,
        is_flavour=False,
        save=save,
        options=(
            Option(
                "dynamic",
                "Free axes: x.0:batch,x.1:length[1..512] (input, axis, name, range). Default: the first of each input.",
                kind=TEXT,
                default="",
            ),
            Option(
                "other",
                "A second example (npz, npy) in which the free axes have other sizes, in place of torch.dynamic.",
                kind=FILE,
                read=sizes,
            ),
            Option("image", f"{HELP} A folder of images as the example: x:nhwc, x:chw or x:hwc, else nchw.", kind=TEXT),
            Option("factory", "module:function in --code that makes the module for a file of weights.", kind=FUNCTION),
        ),
    ),
    original=Original(describe=describe, predict=predict, quick=quick, again=again, parts=parts),
    export=Export(convert=convert, precisions=precisions, packages=ONNX),
    probing=Probing(
        adapt=adapt,
        named=named,
        suffixes=examples.SUFFIXES,
        read=examples.read,
        images=images,
        takes_tensors=True,
    ),
    needs=(
        Requirement("torch>=2.10", "torch", "PyTorch modules, in the interpreter given with --python"),
        Requirement("onnxscript>=0.6", "torch"),
    ),
)
