"""An R model held against its graph, without a bundle: what the tests of R models share."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np

from mlpack_toolkit.converters._worker.model_input import model_table
from mlpack_toolkit.converters._worker.probes import make_probes, together
from mlpack_toolkit.converters._worker.reference import ask
from mlpack_toolkit.converters._worker.signature import inputs_of, signature_of
from mlpack_toolkit.converters.r._model import RModel, adapt, convert, describe, loaded_in, predict
from mlpack_toolkit.converters.r._process import RProcess
from mlpack_toolkit.converters.r._program import rscript
from mlpack_toolkit.converters.rds import NA_INTEGER, Item, read
from mlpack_toolkit.converters.spec import Signature, Table, Unreadable
from mlpack_toolkit.converters.table import rows_of, take
from mlpack_toolkit.runtimes.engine.engine import graph_feeds
from tests.artifacts import saved

HERE = Path(__file__).parent
CLOSE = 1e-11
"""Allowed error, relative to the larger of the answer and 1."""


def fit(script: str, folder: Path) -> Path:
    """Runs an R script, which saves models with `put(name, model)`; gives the folder that they are in."""
    path = folder / "fit.R"
    path.write_text(f"source({json.dumps(str(HERE / 'fitting.R'))})\n{script}")
    done = subprocess.run(["Rscript", "--vanilla", path, folder], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return folder


def rows_in(path: Path) -> Table:
    """The columns of a data frame that R saved: text of factors."""
    return {name: _column(item) for name, item in read(path.read_bytes()).root.items().items()}


def _column(item: Item) -> np.ndarray[Any, Any]:
    levels = item.text("levels")
    if levels:
        return np.array([None if v == NA_INTEGER else levels[v - 1] for v in item.value], object)
    if item.kind == "text":
        return np.array(item.value, object)
    return np.asarray(item.value, bool if item.kind == "logical" else np.float64)


def levels_in(path: Path) -> dict[str, list[str]]:
    """The levels of the factors of a data frame that R saved."""
    items = read(path.read_bytes()).root.items()
    return {name: item.text("levels") for name, item in items.items() if item.text("levels")}


@cache
def _process() -> RProcess:
    """One R for all models of a run, one after the other: starting it takes longer than most tests."""
    return RProcess(rscript(""))


def loaded(folder: Path, name: str, **given: Any) -> RModel:
    """The model that a script saved under that name; the one before it is gone then."""
    try:
        return loaded_in(_process(), folder / f"{name}.rds", given)
    except Unreadable:  # this R is no more
        _process.cache_clear()
        raise


def assert_equal(model: RModel, rows: Table, close: float = CLOSE) -> dict[str, int]:
    """Fails unless the graph answers like R on the rows and on all probes; gives the rows that each probe kind had.

    What R refuses has no answer to be compared; where it refuses, the graph must at least answer.
    """
    probes, refused, want, signature = asked(model, rows)
    alone = predict(model, take(model_table(describe(model), rows), slice(0, 1)))
    assert {name: values.shape[1:] for name, values in alone.items()} == {n: v.shape[1:] for n, v in want.items()}
    got = run(model, signature, probes.rows)
    kept = np.array([row not in refused for row in range(rows_of(probes.rows))])
    for name, expected in want.items():
        _same(name, expected, got[name][kept], take(probes.rows, kept), np.array(probes.kinds)[kept], close)
    kinds, counts = np.unique(np.array(probes.kinds)[kept], return_counts=True)
    return dict(zip(kinds.tolist(), counts.tolist()))


class Probes:
    """Rows and the kind of each."""

    def __init__(self, rows: Table, kinds: list[str]) -> None:
        self.rows, self.kinds = rows, kinds


def asked(model: RModel, rows: Table) -> tuple[Probes, dict[int, str], Table, Signature]:
    """Probes, those that R refuses with its message, its answers to the others, and the signature."""
    description = describe(model)
    example = model_table(description, rows)
    description = adapt(model, replace(description, example=example))
    inputs = inputs_of(description, example, {})
    signature = signature_of(description, example, predict(model, example))
    table, kinds, _ = together(make_probes(description, inputs, example))
    plain = sum(kind == "example" for kind in kinds)
    answers = ask(lambda batch: predict(model, batch), table, plain)
    return Probes(table, kinds), answers.refused, answers.outputs, signature


def run(model: RModel, signature: Signature, rows: Table) -> Table:
    """The graph's answers."""
    import onnx
    import onnxruntime as ort

    graph = saved(lambda out: convert(model, describe(model), signature, "float64", out))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    read_ = {i.name for i in onnx.load_model_from_string(graph).graph.input}
    feeds = {name: value for name, value in graph_feeds(signature, rows).items() if name in read_}
    names = [t.name for t in signature.outputs]
    return dict(zip(names, session.run(names, feeds), strict=True))


def _same(name: str, want: Any, got: Any, rows: Table, kinds: Any, close: float) -> None:
    assert got.shape == want.shape, f"{name}: shape {got.shape}, expected {want.shape}"
    if want.dtype.kind != "f":
        bad = want != got
    else:
        with np.errstate(invalid="ignore", over="ignore"):
            allowed = close * np.maximum(1.0, np.abs(want))
            near = (np.abs(want - got) <= allowed) & np.isfinite(want)
            bad = ~(near | (want == got) | (np.isnan(want) & np.isnan(got)))
    at = np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1))
    if len(at):
        shown = [
            f"{kinds[i]}: { ({n: c[i] for n, c in rows.items()}) }\n    want {want[i]!r}\n    got  {got[i]!r}"
            for i in at[:4]
        ]
        raise AssertionError(f"{name}: {len(at)} of {len(want)} rows differ\n" + "\n".join(shown))
