"""Ways of writing the same trees, timed against each other: what `converters/_trees/ensemble.py` chose its form by.

`python -m benchmarks.forms [--json] [--seconds S] [--model NAME]`; milliseconds on one thread, the form in use first.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np

from mlpack_toolkit.converters._graph.builder import GraphBuilder
from mlpack_toolkit.converters._lookup import convert
from mlpack_toolkit.converters._trees import ensemble
from mlpack_toolkit.converters._trees.arrays import Trees, rounded, tree_of
from mlpack_toolkit.converters.catboost import reader
from mlpack_toolkit.converters.latency import measure as clocked
from mlpack_toolkit.converters.spec import TensorSpec

from ._models import MODELS, ROWS
from ._show import show

TREES = ("forest of 300", "forest regressor", "hist boosting", "gradient boosting", "xgboost", "lightgbm", "catboost")
BATCHES = (1, 1000)
FLOAT, DOUBLE = 1, 11


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


@contextmanager
def _one_node() -> Iterator[None]:
    """All targets and all trees in one node."""
    with patch.object(ensemble, "TARGETS_APART", 1), patch.object(ensemble, "NODES_AT_ONCE", 2**62):
        yield


@contextmanager
def _small_groups() -> Iterator[None]:
    """Nodes of a few trees each, which fit the first cache."""
    with patch.object(ensemble, "NODES_AT_ONCE", 2**11):
        yield


@contextmanager
def _walked() -> Iterator[None]:
    """Symmetric trees walked like others."""
    written = reader._symmetric

    def plain(*arguments: Any) -> Trees:
        return replace(written(*arguments), symmetric=False)

    with patch.object(reader, "_symmetric", plain):
        yield


@contextmanager
def _version_3() -> Iterator[None]:
    """`TreeEnsembleRegressor` of ai.onnx.ml 3."""
    with ExitStack() as stack:
        stack.enter_context(_walked())
        stack.enter_context(patch.object(ensemble, "_node", _regressor_node))
        yield


FORMS = {
    "in use": _as_it_is,
    "one node": _one_node,
    "small groups": _small_groups,
    "walked": _walked,
    "ai.onnx.ml 3": _version_3,
}


def _regressor_node(graph: GraphBuilder, trees: Trees, x: Any) -> str:
    from onnx import numpy_helper

    graph.domains["ai.onnx.ml"] = 3
    owner = tree_of(trees)
    place = np.arange(len(owner)) - trees.roots[owner]
    leaf = trees.feature < 0
    leaves = np.flatnonzero(leaf)
    target = np.zeros(len(owner), np.int64) if trees.target is None else trees.target
    splits = np.where(leaf, 0.0, rounded(trees.threshold, x.dtype, trees.strict))
    mode = "BRANCH_LT" if trees.strict else "BRANCH_LEQ"
    double = x.dtype == "float64"

    def real(name: str, values: Any) -> dict[str, Any]:
        if double:
            return {f"{name}_as_tensor": numpy_helper.from_array(np.asarray(values, np.float64), "")}
        return {name: np.asarray(values, np.float32).tolist()}

    sums = graph.ml(
        "TreeEnsembleRegressor",
        x.name,
        n_targets=trees.targets,
        nodes_falsenodeids=np.where(leaf, 0, trees.right - trees.roots[owner]).tolist(),
        nodes_truenodeids=np.where(leaf, 0, trees.left - trees.roots[owner]).tolist(),
        nodes_featureids=np.maximum(trees.feature, 0).tolist(),
        nodes_missing_value_tracks_true=trees.missing_left.astype(int).tolist(),
        nodes_modes=["LEAF" if end else mode for end in leaf.tolist()],
        nodes_nodeids=place.tolist(),
        nodes_treeids=owner.tolist(),
        target_ids=target[leaves].tolist(),
        target_nodeids=place[leaves].tolist(),
        target_treeids=owner[leaves].tolist(),
        **real("nodes_values", splits),
        **real("target_weights", trees.leaf[leaves]),
    )
    return graph.op("Cast", sums, to=DOUBLE if double else FLOAT)  # it answers in float32, whatever it computes in


def measure(
    names: Sequence[str] = TREES, seconds: float = 1.0, rows: int = ROWS, reals: Sequence[str] = ("float32", "float64")
) -> list[dict[str, Any]]:
    """Per model, precision and form: bytes of the graph, and medians in milliseconds."""
    found = []
    for name in names:
        model, x = MODELS[name](rows)
        for real in reals:
            found += [_one(name, model, x, real, form, seconds) for form in FORMS]
    return found


def _one(name: str, model: Any, x: Any, real: str, form: str, seconds: float) -> dict[str, Any]:
    import onnxruntime as ort

    with FORMS[form]():
        graph = _graph(model, x.shape[1], real)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    table = {"X": x.astype(real)}
    times = clocked(lambda rows: session.run(None, rows), lambda rows: rows, table, BATCHES, seconds)
    shown = {f"batch {size}, ms": t["p50_ms"] for size, t in zip(BATCHES, times, strict=True)}
    return {"model": name, "type": real, "form": form, "KB": round(len(graph) / 1024, 1), **shown}


def _graph(model: Any, width: int, real: str) -> bytes:
    builder = GraphBuilder(real)
    answer = convert(model, (builder.input(TensorSpec("X", real, ("N", width))),), builder)
    value = answer.probabilities or answer.prediction or ""
    builder.output("y", value, real, ("N", "C") if answer.probabilities else ("N",))
    return builder.model()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each batch size and form")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--model", action="append", choices=TREES)
    parser.add_argument("--type", action="append", choices=("float32", "float64"))
    given = parser.parse_args(arguments)
    reals = given.type or ("float32", "float64")
    show("forms", measure(given.model or TREES, given.seconds, given.rows, reals), given.json)


if __name__ == "__main__":
    main()
