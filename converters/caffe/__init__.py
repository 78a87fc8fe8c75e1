"""Nets of Caffe: a prototxt with the weights beside it, read by a reader of our own.

The original that is asked is OpenCV's reading of the same two files. The graph comes from Caffe's definition of each
layer; a layer that OpenCV is known to compute otherwise is refused, or the report says which definition holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .._caffe_files.pair import pair
from .._caffe_files.wire import weights as read_weights
from .._graph.builder import GraphBuilder
from .._worker.batch_axis import output_shapes, rows_alone
from ..image import HELP, NCHW, arranged, layout_of, marked, only_declared
from ..needs import Requirement
from ..plugin import FILE, NUMBER, TEXT, Converter, Export, Option, Original, Probing, Source
from ..spec import BATCH, Description, Dim, Signature, Table, TensorSpec, Unreadable
from . import preprocessing as pre
from .building import Size
from .definitions import DEFINED
from .graph import Built, build
from .net import Input, read
from .original import CaffeModel, check_answers, exact

DETECTOR = "DetectionOutput"
FREE, FIXED = SIZES = ("free", "fixed")


def load(path: Path, given: Mapping[str, Any]) -> CaffeModel:
    """The net of a prototxt or a caffemodel, whose translation is tried before OpenCV sees the files."""
    text, binary = pair(path)
    net = read(text.read_bytes(), text.name)
    weights = {} if binary is None else read_weights(binary)
    free = given.get("size") == FREE
    _check_taken(net.inputs, {name for layer in net.layers for name in layer.bottoms})
    if not net.outputs:
        raise Unreadable(f"{text.name} has no output: every blob is taken by a layer, of Silence the last")
    found = CaffeModel(text, binary, net, weights, pre.steps_of(net, given), free, {}, None)
    _, built = graph_of(found, _inputs(found))
    found.shapes.update({name: built.values[name].shape for name in found.outputs})
    found = replace(found, exact=exact(net, binary))
    check_answers(found)
    return found


def _check_taken(inputs: Iterable[Input], taken: set[str]) -> None:
    for each in inputs:
        if each.name not in taken:
            raise Unreadable(f"no layer takes the input {each.name!r}: remove it from the prototxt")


def _inputs(model: CaffeModel) -> tuple[TensorSpec, ...]:
    return tuple(_input(model, each) for each in model.net.inputs)


def _input(model: CaffeModel, each: Input) -> TensorSpec:
    """The input; the graph has another name for it where a layer in place gives an output of its name."""
    own = f"input_{each.name}" if each.name in model.outputs else ""
    return replace(_bare(model, each), graph_name=own)


def _bare(model: CaffeModel, each: Input) -> TensorSpec:
    sizes: tuple[Dim, ...] = each.shape[1:]
    if model.free and len(each.shape) == 4:
        sizes = (each.shape[1], "height", "width")
    steps = model.steps if model.steps is not None and model.steps.name == each.name else None
    if steps is None:
        return TensorSpec(each.name, "float32", (BATCH, *sizes))
    shape = (BATCH, *sizes[1:], sizes[0]) if steps.last else (BATCH, *sizes)
    spec = TensorSpec(each.name, "uint8" if steps.pixels else "float32", shape)
    return marked((spec,), f"{each.name}:{steps.order}")[0] if steps.order else spec


def graph_of(model: CaffeModel, inputs: Iterable[TensorSpec]) -> tuple[GraphBuilder, Built]:
    """The graph of the net without outputs, and its blobs."""
    graph = GraphBuilder("float32")
    graph.reserve(each.in_graph for each in inputs)
    graph.reserve(model.outputs)
    found = {}
    for spec, each in zip(inputs, model.net.inputs):
        graph.input(spec)
        sizes: tuple[Size, ...] = (None, *each.shape[1:])
        if model.free and len(each.shape) == 4:
            sizes = (None, each.shape[1], None, None)
        found[each.name] = pre.input_value(model.steps, spec.in_graph, sizes, graph)
    return graph, build(model.net, model.weights, found, graph)


def describe(model: CaffeModel) -> Description:
    """The net's own inputs, and what of it is worth a line in the report."""
    inputs = _inputs(model)
    _, built = graph_of(model, inputs)
    count = sum(blob.size for blobs in model.weights.values() for blob in blobs)
    title = f"{model.net.name or 'net'} (Caffe, {len(model.net.layers)} layers, {count:,} parameters)"
    notes = (*_notes(model), *built.notes)
    return Description(title, "graph", (), named=False, notes=notes, inputs=inputs)


def _notes(model: CaffeModel) -> tuple[str, ...]:
    found = list(model.steps.notes()) if model.steps is not None else []
    if model.net.left_out:
        found.append(f"layers that are not of the phase TEST are left out: {', '.join(model.net.left_out)}")
    if model.net.upgraded:
        found.append("the layers are in the form of before 2014 (V1), read as those of today")
    own = sorted({layer.type for layer in model.net.layers} & DEFINED.keys())
    if own:
        found.append(
            f"OpenCV has no layer {', '.join(own)}: in the original its answers come from mlpack's numpy form of "
            "Caffe's definition"
        )
    unused = sorted(model.weights.keys() - {layer.name for layer in model.net.layers})
    if unused:
        shown = ", ".join(unused[:8]) + (f" and {len(unused) - 8} more" if len(unused) > 8 else "")
        found.append(f"weights of layers that the prototxt has not are left out: {shown}")
    return tuple(found)


def adapt(model: CaffeModel, description: Description) -> Description:
    """The description with the outputs' batch axes; the first axis is no batch where rows are not alone."""
    example = description.example or {}
    inputs = description.inputs
    try:
        answers = model.answers(example)
    except Exception:  # an example that does not fit is refused where it is first asked
        return description
    if not rows_alone(model.answers, inputs, example, answers):
        inputs = tuple(replace(t, shape=("images", *t.shape[1:])) for t in inputs)
    shapes = dict(output_shapes(model.answers, inputs, dict.fromkeys(answers), example, answers))
    for name in _joined(model):
        shapes[name] = (1, 1, "rows", 7)
    return replace(description, inputs=inputs, outputs=shapes)


def _joined(model: CaffeModel) -> list[str]:
    """Outputs that hold the boxes of all images."""
    last = {top: layer.type for layer in model.net.layers for top in layer.tops}
    return [name for name in model.outputs if last[name] == DETECTOR]


def images(model: CaffeModel, pixels: Any) -> Table:
    """The example of images for the one image input, in the layout of its shape."""
    if model.steps is None or not model.steps.order:
        only_declared("")
    assert model.steps is not None
    spec = next(t for t in _inputs(model) if t.name == model.steps.name)
    return {spec.name: arranged(pixels, layout_of(spec.shape) or NCHW, spec.image)}


def predict(model: CaffeModel, x: Table) -> Table:
    """OpenCV's answers, arrays by output name."""
    return model.answers(x)


def quick(model: CaffeModel, x: Table) -> object:
    """The same at OpenCV's own best."""
    return model.quick(x)


def again(model: CaffeModel, x: Table) -> Iterable[Table]:
    """The same answers, computed as OpenCV does by default."""
    return model.again(x)


def convert(model: CaffeModel, description: Description, signature: Signature, real: str, out: Path) -> None:
    """Writes the graph of the net."""
    graph, built = graph_of(model, signature.inputs)
    for spec in signature.outputs:
        graph.output(spec.name, built.values[spec.name].name, "float32", spec.shape)
    graph.write(out)


def _check_size(text: str) -> None:
    if text not in SIZES:
        raise Unreadable(f"caffe.size is {FREE} or {FIXED}, not {text!r}")


OPTIONS = (
    Option("image", f"{HELP} x:nhwc where channels are last.", kind=TEXT),
    Option("channels", "The order of the channels that callers send: bgr (the default) or rgb.", check=pre.check_order),
    Option("trained", "The order that the net was trained on: bgr (the default) or rgb.", check=pre.check_order),
    Option("mean", "Numbers to subtract from each channel, in the net's order: 104,117,123.", check=pre.check_mean),
    Option("mean_file", "A mean.binaryproto to subtract; of a larger image its middle.", kind=FILE, read=pre.read_mean),
    Option("scale", "A number to multiply by after the mean.", kind=NUMBER, check=pre.check_scale),
    Option("size", "free: images of any height and width, where the net allows it. Default: fixed.", check=_check_size),
)

CONVERTER = Converter(
    name="caffe",
    source=Source(containers=("prototxt",), load=load, options=OPTIONS, is_flavour=False),
    original=Original(describe=describe, predict=predict, quick=quick, again=again),
    export=Export(convert=convert, precisions=lambda model: ("float32",)),
    probing=Probing(adapt=adapt, images=images),
    needs=(
        Requirement("opencv-python-headless>=4.12,<5", "caffe", "Caffe nets", ("opencv-python",)),
        Requirement("numpy", "caffe"),
    ),
)
