"""ONNX files as they come: the original is the file in ONNX Runtime, nothing optimised, on one thread.

What ships is the file as it came, save that maps of probabilities become a tensor, and that data beside the file move
into it; large ones stay where they are, and the graph refers to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .._graph.proto import (
    Output,
    batch_names,
    check_functions,
    check_versions,
    inputs,
    moved,
    outputs,
    read,
    without_maps,
)
from .._worker.batch_axis import output_shapes, rows_alone
from ..bfloat16 import Run, run_of
from ..graph_file import BESIDE, LARGE, NoGraph, locations
from ..image import HELP, arranged, layout_of, marked, only_declared
from ..needs import Requirement
from ..plugin import TEXT, Converter, Export, Option, Original, Probing, Source
from ..spec import BFLOAT16, REALS, Description, Signature, Table, TensorSpec, Unreadable, Unsupported

_HALVES = {f"tensor({dtype})": dtype for dtype in ("float16", BFLOAT16)}
_FLOATS = {**_HALVES, "tensor(float)": "float32", "tensor(double)": "float64"}


@dataclass
class Sessions:
    """The file's sessions in ONNX Runtime on one thread: with nothing optimised, the reference, and for the clock as
    ONNX Runtime optimises by default. Of a large model one at a time is held."""

    path: Path
    alone: bool
    held: dict[bool, tuple[Any, Run]] = field(default_factory=dict)

    def get(self, optimised: bool) -> Any:
        """The session of either kind."""
        return self._pair(optimised)[0]

    def run(self, optimised: bool) -> Run:
        """What asks it."""
        return self._pair(optimised)[1]

    def _pair(self, optimised: bool) -> tuple[Any, Run]:
        if optimised not in self.held:
            if self.alone:
                self.held.clear()
            session = _session(self.path, optimised)
            self.held[optimised] = session, run_of(session)
        return self.held[optimised]


@dataclass(frozen=True)
class OnnxFile:
    """A file with what it takes and gives. `proto`: without the numbers of a large one. `beside`: its data's files.

    `image`: the user's declaration of inputs that are images.
    """

    path: Path
    proto: Any
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[Output, ...]
    beside: tuple[str, ...]
    sessions: Sessions
    image: str = ""


def load(path: Path, given: Mapping[str, Any]) -> OnnxFile:
    """The file, opened in ONNX Runtime."""
    proto = read(path)
    check_versions(proto)
    check_functions(proto)
    beside = _beside(path)
    size = sum(each.stat().st_size for each in (path, *(path.parent / name for name in beside)))
    batch = next(iter(batch_names(proto)), "")
    takes, gives = inputs(proto, batch), outputs(proto, batch)
    image = given.get("image", "")
    model = OnnxFile(path, proto, marked(takes, image), gives, beside, Sessions(path, size > LARGE), image)
    model.sessions.get(False)
    return model


def _beside(path: Path) -> tuple[str, ...]:
    try:
        found = locations(path)
    except NoGraph as error:
        raise Unreadable(f"{path.name} is not an ONNX model: {error}") from error
    for name in found:
        if not (path.parent / name).is_file():
            raise Unreadable(f"{path.name} keeps tensors in {name!r}, which is not beside it: put it there")
    return found


def _session(path: Path, optimised: bool) -> Any:
    import os

    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimised else level.ORT_DISABLE_ALL
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises a class per status code, which share no other root
        raise Unsupported(
            f"ONNX Runtime {ort.__version__} does not load {path.name} (where it lacks an operator of an old opset, "
            f"onnx.version_converter brings the file to opset 21): {error}"
        ) from error


def describe(model: OnnxFile) -> Description:
    """The file's own inputs, and what of it is worth a line in the report."""
    graph = model.proto.graph
    opset = next((o.version for o in model.proto.opset_import if o.domain in ("", "ai.onnx")), 0)
    classes = [o.classes for o in model.outputs if o.source]
    return Description(
        title=f"{graph.name or 'graph'} (ONNX, opset {opset}, {len(graph.node)} nodes)",
        task="graph",
        features=(),
        named=False,
        classes=classes[0] if len(classes) == 1 else (),
        notes=_notes(model),
        inputs=model.inputs,
        outputs={o.ships_as: o.shape for o in model.outputs if o.shape is not None},
        types={o.name: BFLOAT16 for o in model.sessions.get(False).get_outputs() if _FLOATS.get(o.type) == BFLOAT16},
    )


def _notes(model: OnnxFile) -> tuple[str, ...]:
    rows = [t for t in model.inputs if not (t.image and len(t.shape) == 3)]
    fixed = [t for t in rows if t.batch_axis is None and t.shape and isinstance(t.shape[0], int)]
    notes = [f"the input {t.name!r} takes exactly {t.shape[0]} rows" for t in fixed]
    notes += [f"the maps of {o.name!r} ship as the tensor {o.ships_as!r}" for o in model.outputs if o.source]
    if model.beside:
        ships = "stay where they are: the graph refers to them" if model.sessions.alone else "ship inside the model"
        notes.append(f"tensors kept in {', '.join(model.beside)} {ships}")
    own = {n.domain for n in model.proto.graph.node} - {"", "ai.onnx", "ai.onnx.ml"}
    own -= {f.domain for f in model.proto.functions}
    if own:
        notes.append(f"uses operators of {', '.join(sorted(own))}, which only ONNX Runtime has")
    if any(_joins_in_threads(node) for node in model.proto.graph.node):
        notes.append(
            "joins numbers at one place with ScatterND, of which ONNX Runtime 1.28 and 1.31 lose some at times where "
            "several threads meet: ScatterElements loses none, and one thread neither"
        )
    return tuple(notes)


def _joins_in_threads(node: Any) -> bool:
    """Whether two updates of one place may meet: 1 to 8 in 30 runs with 8 threads lost some (measured)."""
    joined = (a.s for a in node.attribute if a.name == "reduction")
    return node.op_type == "ScatterND" and any(how not in (b"", b"none") for how in joined)


def adapt(model: OnnxFile, description: Description) -> Description:
    """The description with the batch that the file's answers show, and the outputs' batch axes."""
    example = description.example
    try:
        answers = predict(model, example or {})
    except Exception:  # an example that does not fit is refused where it is first asked
        return description
    assert example is not None
    for batch in batch_names(model.proto) or ("",):
        takes, gives = inputs(model.proto, batch), outputs(model.proto, batch)
        if rows_alone(lambda x: predict(model, x), takes, example, answers):
            break
    else:
        takes, gives = model.inputs, model.outputs
    found = output_shapes(lambda x: predict(model, x), takes, {o.ships_as: o.shape for o in gives}, example, answers)
    return replace(description, inputs=marked(takes, model.image), outputs=found)


def images(model: OnnxFile, pixels: Any) -> Table:
    """The example of images for the one image input, in the layout of its shape."""
    image = only_declared(model.image)
    shape = next(t.shape for t in model.inputs if t.name == image.name)
    return {image.name: arranged(pixels, layout_of(shape), image.order)}


def predict(model: OnnxFile, x: Table) -> Table:
    """The file's answers to a table of its inputs, arrays by output name."""
    values = model.sessions.run(False)([o.name for o in model.outputs], _feeds(model, x), None)
    return {o.ships_as: _tensor(o, value) for o, value in zip(model.outputs, values)}


def quick(model: OnnxFile, x: Table) -> object:
    """The same at ONNX Runtime's own best."""
    return model.sessions.run(True)([o.name for o in model.outputs], _feeds(model, x), None)


def _feeds(model: OnnxFile, x: Table) -> dict[str, Any]:
    absent = [t.name for t in model.inputs if t.name not in x]
    if absent:
        raise Unreadable(f"the graph takes an input {absent[0]!r}; there is: {', '.join(x)}")
    return {t.name: _feed(t, x[t.name]) for t in model.inputs}


def _feed(spec: TensorSpec, values: Any) -> Any:
    import numpy as np

    return np.asarray(spec.as_written(np.asarray(values)), spec.in_numpy)


def _tensor(output: Output, value: Any) -> Any:
    """The output as an array; maps as rows in the order of the classes."""
    import numpy as np

    if not output.source:
        return np.asarray(value)
    rows = [[row[c] for c in output.classes] for row in value]
    return np.array(rows, np.float32).reshape(len(value), len(output.classes))


def convert(model: OnnxFile, description: Description, signature: Signature, real: str, out: Path) -> None:
    """Writes the graph without maps, small data inside it; nothing for a file that ships as it came."""
    import onnx

    if not model.beside and not any(o.source for o in model.outputs):
        return
    large = model.sessions.alone
    proto = onnx.load(str(model.path), format="protobuf", load_external_data=not large)
    without_maps(proto, model.outputs)
    if large:
        del proto.training_info[:]
        moved(proto, BESIDE)
    out.write_bytes(proto.SerializeToString(deterministic=True))


def precisions(model: OnnxFile) -> tuple[str, ...]:
    """One form: the file's own, named after the coarsest floats that it takes or gives."""
    kinds = {t.dtype for t in model.inputs} | {_FLOATS.get(o.type, "") for o in model.sessions.get(False).get_outputs()}
    return (next((kind for kind in (BFLOAT16, *REALS) if kind in kinds), "float32"),)


def dump(model: Any, place: Path) -> Path | None:
    """The file of a graph that a Python program holds; None where the object is none."""
    if type(model).__name__ != "ModelProto" or type(model).__module__.split(".")[0] != "onnx":
        return None
    import onnx

    path = place.with_suffix(".onnx")
    onnx.save(model, str(path))
    return path


CONVERTER = Converter(
    name="onnx",
    source=Source(containers=("onnx",), load=load, dump=dump, options=(Option("image", HELP, kind=TEXT),)),
    original=Original(describe=describe, predict=predict, quick=quick),
    export=Export(convert=convert, precisions=precisions),
    probing=Probing(adapt=adapt, images=images),
    needs=(Requirement("onnx>=1.18", purpose="converting"),),
)
