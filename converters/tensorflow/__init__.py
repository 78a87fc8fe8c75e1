"""Keras 3 models and SavedModels of TensorFlow.

The original is the model in inference mode on the CPU; the graph comes from TensorFlow's own trace and tf2onnx, with
translations of ours where that one is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .._worker.batch_axis import output_shapes, rows_alone
from .._worker.free_axes import ranges_of, sizes, spec_of, takes_more, without_batch
from ..image import HELP, NHWC, marked, only_image
from ..needs import Requirement
from ..plugin import FILE, Converter, Export, Option, Original, Probing, Saved, Source
from ..spec import Description, Signature, Table, TensorSpec
from ..table import rows_of
from .dims import axes_for, free_axes, sizes_that_agree
from .model import TensorflowModel, spec_with_cells
from .model import named as under_own_names
from .purity import check_answers, nodes_of

PACKAGES = ("onnx>=1.16", "onnx_ir>=0.1", "tf2onnx>=1.17")
"""What converting needs beside TensorFlow."""


def load(path: Path, given: Mapping[str, Any]) -> TensorflowModel:
    """The model of a file, or of a folder's main file."""
    from . import loading

    return loading.load(path, given)


def prepare(model: Any, given: Mapping[str, Any]) -> TensorflowModel:
    """The model of an object from a pickle."""
    from . import loading

    loading.imported()
    return loading.of_keras(model, given)


def save(model: Any, example: Any, given: Mapping[str, Any], folder: Path) -> Saved:
    """The files of a Keras model that a Python program holds."""
    from . import saving

    return saving.save(model, example, folder)


def describe(model: TensorflowModel) -> Description:
    """The model's title and its size; its inputs are those of the example."""
    title = f"{model.title}, {model.parameters:,} parameters)"
    return Description(title=title, task="graph", features=(), named=False, tensors=True)


def named(model: TensorflowModel, table: Table) -> Table:
    """The example's tensors under the names of the model's inputs, in their types."""
    found = under_own_names(model.inputs, table)
    free_axes(model, {name: values.shape for name, values in found.items()})
    return found


def images(model: TensorflowModel, pixels: Any) -> Table:
    """The example of images for the one image input, in Keras's own layout where the user says none."""
    return only_image(model.given.get("image", ""), pixels, NHWC)


def adapt(model: TensorflowModel, description: Description) -> Description:
    """The description with the inputs of the example and the dimensions that its answers show."""
    example = description.example or {}
    shown = {name: values.shape for name, values in example.items()}
    axes = axes_for(free_axes(model, shown), shown)
    inputs = tuple(_spec(model, name, values, axes.get(name, {})) for name, values in example.items())
    inputs = marked(inputs, model.given.get("image", ""))
    found = replace(description, inputs=inputs, ranges=ranges_of(axes))
    try:
        fresh = model.outputs(example)
    except Exception:  # an example that does not fit is refused where it is first asked
        return found
    from .exporting import traced

    graph = traced(model, inputs).graph
    answers = check_answers(lambda: model.outputs(example), fresh, nodes_of(graph))
    inputs = sizes_that_agree(model.outputs, inputs, example) if not model.given.get("dynamic") else inputs
    notes = found.notes
    if not rows_alone(model.outputs, inputs, example, answers):
        inputs, note = _no_batch(model, inputs, example)
        notes = (*notes, note)
    shapes = output_shapes(model.outputs, inputs, dict.fromkeys(answers), example, answers)
    return replace(found, inputs=inputs, outputs=shapes, notes=notes)


def _spec(model: TensorflowModel, name: str, values: Any, free: Mapping[int, Any]) -> TensorSpec:
    """The input of the example's tensor; texts are `string`."""
    spec = spec_of(name, values, free)
    return spec_with_cells(replace(spec, dtype="string") if values.dtype.kind in "OU" else spec)


def _no_batch(
    model: TensorflowModel, inputs: tuple[TensorSpec, ...], example: Table
) -> tuple[tuple[TensorSpec, ...], str]:
    """The inputs whose first axes are no batch, and a note on why: of one size alone, or rows that are not alone."""
    if not model.given.get("dynamic") and rows_of(example) and not takes_more(model.outputs, inputs, example):
        fixed = tuple(
            replace(t, shape=(int(example[t.name].shape[0]), *t.shape[1:])) if t.batch_axis == 0 else t for t in inputs
        )
        return fixed, "the first axis has the size of the example alone: the model refuses a row more"
    said = "the answer to a row depends on the other rows (or is none of its own), so the first axis is no batch"
    return tuple(without_batch(t) for t in inputs), said


def predict(model: TensorflowModel, x: Table) -> Table:
    """The model's answers, arrays by output name."""
    return model.outputs(x)


def quick(model: TensorflowModel, x: Table) -> object:
    """The same, as tensors."""
    return model.answer(x)


def again(model: TensorflowModel, x: Table) -> Iterable[Table]:
    """The same answers in float64, where the model can be made in it."""
    doubled = model.in_float64()
    if doubled is not None:
        wide = {n: v.astype("float64") if v.dtype.kind == "f" else v for n, v in x.items()}
        yield doubled.outputs(wide)


def convert(model: TensorflowModel, description: Description, signature: Signature, real: str, out: Path) -> None:
    """Writes the graph of the model (see `exporting`)."""
    from .exporting import export

    export(model, signature.inputs, signature.outputs, out)


def precisions(model: TensorflowModel) -> tuple[str, ...]:
    """One form: the model's own, named after the floats of most of its parameters."""
    return (model.floats,)


CONVERTER = Converter(
    name="tensorflow",
    source=Source(
        packages=("keras", "tensorflow", "keras_hub"),
        containers=("keras", "keras_h5", "savedmodel"),
        load=load,
        prepare=prepare,
        save=save,
        is_flavour=False,
        options=(
            Option("signature", "The signature of a SavedModel. Default: serving_default."),
            Option(
                "dynamic",
                "Names and ranges of free axes: x.0:batch,x.1:length[1..512]; none: the example's sizes alone. "
                "Default: the axes that the model leaves open.",
                default="",
            ),
            Option(
                "other",
                "A second example (npz, npy) in which the free axes have other sizes, for a model that declares none.",
                kind=FILE,
                read=sizes,
            ),
            Option("image", f"{HELP} A folder of images as the example: x:nchw, x:chw or x:hwc, else nhwc."),
        ),
    ),
    original=Original(describe=describe, predict=predict, quick=quick, again=again),
    export=Export(convert=convert, precisions=precisions, packages=PACKAGES),
    probing=Probing(adapt=adapt, named=named, images=images, takes_tensors=True),
    needs=(
        Requirement(
            "tensorflow-cpu>=2.16",
            "tensorflow",
            "Keras models and SavedModels, in the interpreter given with --python",
        ),
        Requirement("tf2onnx>=1.17", "tensorflow"),
        Requirement("onnx-ir>=0.1", "tensorflow"),
    ),
)
