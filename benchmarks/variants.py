"""Every kind of variant of a network: how it is made, how large it is, how near its parent, how fast.

`MLPACK_TORCH_PYTHON=PYTHON python -m benchmarks.variants [--json] [--model KEY ...] [--kind KIND ...] [--folder DIR]`.
Networks have random weights: agreement shows the method, not a trained model. Without torch: `--model tiny`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.graph_file import locations
from mlpack_toolkit.converters.spec import Signature, Table, TensorSpec
from mlpack_toolkit.packager import variants
from mlpack_toolkit.packager.accuracy.making import check_is_one
from mlpack_toolkit.packager.accuracy.metrics import METRICS
from mlpack_toolkit.packager.accuracy.speed import beside
from mlpack_toolkit.packager.commands.bench import THREADS
from mlpack_toolkit.packager.equivalence.session import Session
from mlpack_toolkit.packager.errors import MlpackError
from mlpack_toolkit.packager.variants.spec import Made, Work

from ._process import PYTHON, run
from ._show import show
from .coverage_torch import torch_python

MODELS = ("gpt2_small", "bert_base", "resnet50")
SECONDS = 4.0
BATCHES = (1, 8)


def tiny(folder: Path) -> None:
    """Two layers, for a test of this file."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    weights = {"a": rng.normal(size=(16, 64)), "b": rng.normal(size=(64, 32))}
    held = [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()]
    nodes = [helper.make_node("MatMul", ["x", "a"], ["h"]), helper.make_node("Relu", ["h"], ["r"])]
    nodes.append(helper.make_node("MatMul", ["r", "b"], ["logits"]))
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 16])]
    found = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 32])]
    made = helper.make_graph(nodes, "tiny", given, found, held)
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), folder / "model.onnx")
    for name, rows in (("rows", 16), ("calibration", 64)):
        np.savez(folder / f"{name}.npz", x=rng.normal(size=(rows, 16)).astype(np.float32))


def made_in(key: str, folder: Path) -> None:
    """Writes a network and its rows, unless they are there."""
    if (folder / "model.onnx").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    if key == "tiny":
        tiny(folder)
    else:
        run([torch_python(), "-m", "benchmarks._variant_models", key, folder])


def parent_of(folder: Path) -> Artifact:
    """The network's own files."""
    return Artifact.of(folder / "model.onnx", locations(folder / "model.onnx"))


def signature_of(path: Path) -> Signature:
    """The graph's inputs and outputs, whose first dimension is the batch."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    types = {"tensor(float)": "float32", "tensor(int64)": "int64"}

    def spec(each: Any) -> TensorSpec:
        return TensorSpec(each.name, types[each.type], ("N", *(d or "?" for d in each.shape[1:])))

    return Signature("graph", tuple(map(spec, session.get_inputs())), tuple(map(spec, session.get_outputs())))


def make(kind: str, folder: Path, out: Path) -> Made:
    """One pass, in this process, which opens no session but for a calibration; proved to be a variant."""

    def calibration() -> Iterator[dict[str, Any]]:
        table = dict(np.load(folder / "calibration.npz"))
        for start in range(0, len(next(iter(table.values()))), 8):
            yield {name: values[start : start + 8] for name, values in table.items()}

    parent, found = parent_of(folder), variants.load(kind)
    made = found.make(Work(parent, Signature("graph", (), ()), out, calibration=calibration))
    check_is_one(found, kind, parent, made)
    return made


def measure(key: str, folder: Path, kinds: Sequence[str], seconds: float) -> Iterator[dict[str, Any]]:
    """A row for each kind."""
    made_in(key, folder)
    parent = parent_of(folder)
    signature, rows = signature_of(parent.path), dict(np.load(folder / "rows.npz"))
    session = Session(parent.path, signature)
    want = answers(session, rows)
    yield {**_row(key, "float32", parent.size), "of parent": 1.0}
    for kind in kinds:
        with tempfile.TemporaryDirectory() as work:
            yield _measured(key, kind, folder, Path(work), signature, rows, want, seconds)


def _row(key: str, kind: str, size: int) -> dict[str, Any]:
    names = ("made in s", "peak MB", "nodes", "top-1", "KL mean", "KL max", "min cosine", "max abs / scale")
    empty = dict.fromkeys((*names, *(f"faster, batch {n}" for n in BATCHES)), "")
    return {"model": key, "variant": kind, "MB": size / 1e6, "of parent": 0.0, **empty, "": ""}


def _measured(
    key: str,
    kind: str,
    folder: Path,
    out: Path,
    signature: Signature,
    rows: Table,
    want: np.ndarray[Any, Any],
    seconds: float,
) -> dict[str, Any]:
    parent = parent_of(folder)
    command = [PYTHON, "-m", "benchmarks.variants", "--pass", kind, "--folder", folder, "--out", out]
    try:
        used = run(command)
    except RuntimeError as error:
        return {**_row(key, kind, 0), "": str(error).strip().splitlines()[-1][:120]}
    artifact = Artifact.of(out / "model.onnx", locations(out / "model.onnx"))
    row = {**_row(key, kind, artifact.size), "of parent": artifact.size / parent.size, "made in s": used.wall}
    row |= {"peak MB": used.peak / 1e6, "nodes": sum(variants.load(kind).count(parent, artifact).values())}
    try:
        got = answers(Session(artifact.path, signature), rows)
    except MlpackError as error:
        return {**row, "": str(error)[:120]}
    row |= _nearness(want, got)
    first, second = (Session(path, signature, THREADS) for path in (parent.path, artifact.path))
    speeds = beside(first, second, rows, seconds, BATCHES)
    return {**row, **{f"faster, batch {each['batch']:g}": each["speedup"] for each in speeds}}


def answers(session: Session, rows: Table) -> np.ndarray[Any, Any]:
    """The first output, four rows at a time."""
    count = len(next(iter(rows.values())))
    parts = [session.run({n: v[i : i + 4] for n, v in rows.items()}) for i in range(0, count, 4)]
    return np.concatenate([next(iter(part.values())) for part in parts])


def _nearness(want: np.ndarray[Any, Any], got: np.ndarray[Any, Any]) -> Mapping[str, Any]:
    kl = METRICS["kl"].per_row(want.reshape(-1, 1, want.shape[-1]), got.reshape(-1, 1, want.shape[-1]))
    return {
        "top-1": float(METRICS["top1"].per_row(want, got).mean()),
        "KL mean": float(kl.mean()),
        "KL max": float(kl.max()),
        "min cosine": float(METRICS["cosine"].per_row(want, got).min()),
        "max abs / scale": float(np.abs(got - want).max() / np.abs(want).max()),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--model", action="append", choices=(*MODELS, "tiny"))
    parser.add_argument("--kind", action="append", choices=variants.names())
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--folder", type=Path, help="keep the networks there, one folder each")
    parser.add_argument("--pass", dest="one", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        print(json.dumps(list(make(given.one, given.folder, given.out).changed)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        base = given.folder or Path(scratch)
        rows: list[dict[str, Any]] = []
        for key in given.model or MODELS:
            rows += measure(key, base / key, given.kind or variants.names(), given.seconds)
    show("variants", rows, given.json)


if __name__ == "__main__":
    main()
