"""ONNX files as they come: the original is the file in ONNX Runtime, nothing optimised, on one thread.

What ships is the same bytes, save that data beside the file move into it and maps of probabilities become a tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ._batch_axis import output_shapes, rows_alone
from ._graph.proto import (
    Output,
    batch_names,
    begins_a_model,
    check_functions,
    check_versions,
    external_files,
    inputs,
    outputs,
    read,
    without_maps,
)
from .spec import Converter, Description, Signature, Table, TensorSpec, Unreadable, Unsupported

_FLOATS = {"tensor(float16)": "float16", "tensor(float)": "float32", "tensor(double)": "float64"}
LARGEST = 2**31 - 1
"""Bytes that one serialised message may have."""


@dataclass(frozen=True)
class OnnxFile:
    """A file with what it takes and gives. `plain`: its session with nothing optimised, the reference; `swift`: the
    session for the clock, optimised as ONNX Runtime does by default; both on one thread."""

    path: Path
    proto: Any
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[Output, ...]
    plain: Any
    swift: Any


def sniff(path: Path, head: bytes) -> bool:
    """Whether the file is called `.onnx`, or begins like a serialised model."""
    return path.suffix.lower() == ".onnx" or begins_a_model(head)


def load(path: Path, given: Mapping[str, Any]) -> OnnxFile:
    """The file, opened in ONNX Runtime."""
    proto = read(path)
    check_versions(proto)
    check_functions(proto)
    for name in sorted(external_files(proto.graph)):
        if not (path.parent / name).is_file():
            raise Unreadable(f"{path.name} keeps tensors in {name!r}, which does not lie beside it: put it there")
    batch = next(iter(batch_names(proto)), "")
    takes, gives = inputs(proto, batch), outputs(proto, batch)
    return OnnxFile(path, proto, takes, gives, _session(path, False), _session(path, True))


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
    )


def _notes(model: OnnxFile) -> tuple[str, ...]:
    fixed = [t for t in model.inputs if t.batch_axis is None and t.shape and isinstance(t.shape[0], int)]
    notes = [f"the input {t.name!r} takes exactly {t.shape[0]} rows" for t in fixed]
    notes += [f"the maps of {o.name!r} ship as the tensor {o.ships_as!r}" for o in model.outputs if o.source]
    beside = external_files(model.proto.graph)
    if beside:
        notes.append(f"tensors kept in {', '.join(sorted(beside))} ship inside the model")
    own = {n.domain for n in model.proto.graph.node} - {"", "ai.onnx", "ai.onnx.ml"}
    own -= {f.domain for f in model.proto.functions}
    if own:
        notes.append(f"uses operators of {', '.join(sorted(own))}, which only ONNX Runtime has")
    return tuple(notes)


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
    return replace(description, inputs=takes, outputs=found)


def predict(model: OnnxFile, x: Table) -> Table:
    """The file's answers to a table of its inputs, arrays by output name."""
    return _answers(model, model.plain, x)


def quick(model: OnnxFile, x: Table) -> object:
    """The same at ONNX Runtime's own best."""
    return model.swift.run(None, _feeds(model, x))


def _answers(model: OnnxFile, session: Any, x: Table) -> Table:
    values = session.run([o.name for o in model.outputs], _feeds(model, x))
    return {o.ships_as: _tensor(o, value) for o, value in zip(model.outputs, values)}


def _feeds(model: OnnxFile, x: Table) -> dict[str, Any]:
    absent = [t.name for t in model.inputs if t.name not in x]
    if absent:
        raise Unreadable(f"the graph takes an input {absent[0]!r}; there is: {', '.join(x)}")
    return {t.name: _feed(t, x[t.name]) for t in model.inputs}


def _feed(spec: TensorSpec, values: Any) -> Any:
    import numpy as np

    return np.asarray(spec.as_written(np.asarray(values)), object if spec.is_text else spec.dtype)


def _tensor(output: Output, value: Any) -> Any:
    """The output as an array; maps as rows in the order of the classes."""
    import numpy as np

    if not output.source:
        return np.asarray(value)
    rows = [[row[c] for c in output.classes] for row in value]
    return np.array(rows, np.float32).reshape(len(value), len(output.classes))


def convert(model: OnnxFile, description: Description, signature: Signature, real: str) -> bytes:
    """The file's bytes, with its external data inside and no maps; `real` changes nothing."""
    beside = external_files(model.proto.graph)
    if not beside and not any(o.source for o in model.outputs):
        return model.path.read_bytes()
    size = model.path.stat().st_size + sum((model.path.parent / name).stat().st_size for name in beside)
    if size > LARGEST:
        raise Unsupported(
            f"the model and its data have {size / 2**30:.1f} GiB, one ONNX file holds 2 at most: quantise or split it"
        )
    return _whole(model)


def _whole(model: OnnxFile) -> bytes:
    import onnx

    proto = onnx.load(str(model.path), format="protobuf")
    without_maps(proto, model.outputs)
    return bytes(proto.SerializeToString(deterministic=True))


def precisions(model: OnnxFile) -> tuple[str, ...]:
    """One form: the file's own, named after the coarsest floats that it takes or gives."""
    kinds = {t.dtype for t in model.inputs} | {_FLOATS.get(o.type, "") for o in model.plain.get_outputs()}
    return (next((kind for kind in ("float16", "float32", "float64") if kind in kinds), "float32"),)


CONVERTER = Converter(
    name="onnx",
    packages=(),
    describe=describe,
    predict=predict,
    convert=convert,
    sniff=sniff,
    load=load,
    precisions=precisions,
    quick=quick,
    adapt=adapt,
)
