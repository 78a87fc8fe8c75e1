"""A bundle's graph beside the original, and beside other ways to run it: mlpack's own operators (the variant
`compiled`), plain skl2onnx, treelite, tl2cgen's C code.

One thread each. `python -m benchmarks.latency [--json] [--seconds S] [--no-peers]`; above 1 the graph is faster.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.latency import measure as clocked
from mlpack_toolkit.converters.messages import Measure
from mlpack_toolkit.converters.spec import Table
from mlpack_toolkit.converters.table import write_table
from mlpack_toolkit.packager.accuracy.asked import Asked
from mlpack_toolkit.packager.accuracy.speed import beside
from mlpack_toolkit.packager.bundle.reader import Bundle, open_bundle
from mlpack_toolkit.packager.commands.bench import THREADS, measure_graph
from mlpack_toolkit.packager.commands.build import build
from mlpack_toolkit.packager.data.readers import for_signature, read_example
from mlpack_toolkit.packager.equivalence.session import session_of
from mlpack_toolkit.packager.original.reload import original_worker
from mlpack_toolkit.packager.request import Request
from mlpack_toolkit.runtimes.server.manifest import REFERENCE

from ._models import MODELS, ROWS, Saved, save
from ._peers import Run, skl2onnx_run, tl2cgen_run, treelite_run
from ._show import show

NAME = "compiled"
BATCHES = (1, 64, 1000)


def measure(
    names: Sequence[str] = tuple(MODELS), seconds: float = 1.0, rows: int = ROWS, peers: bool = True
) -> list[dict[str, Any]]:
    """Per model and batch size, the medians in milliseconds and how many times faster the graph is."""
    with tempfile.TemporaryDirectory() as work:
        return [_one(save(name, Path(work), rows), Path(work) / "dist", seconds, peers) for name in names]


def _one(saved: Saved, output: Path, seconds: float, peers: bool) -> dict[str, Any]:
    built = build(
        Request(saved.model, saved.example, output, targets=(), variants=(Asked(NAME, NAME, ship_slower=True),))
    )
    bundle = open_bundle(built.bundle)
    rows = for_signature(bundle.signature, read_example(saved.example).table, saved.example.name)
    graph = measure_graph(bundle.graph.path, bundle.signature, rows, seconds, BATCHES)
    with original_worker(bundle, sys.executable, ()) as (worker, _, scratch):
        write_table(rows, scratch / "rows.npz")
        original = worker.call(Measure(str(scratch / "rows.npz"), BATCHES, seconds)).batches
    ours = [b["p50_ms"] for b in graph]
    found: dict[str, Any] = {"model": saved.name, "precision": bundle.variant().weights}
    for size, mine, theirs in zip(BATCHES, ours, original, strict=True):
        found[f"original ms, batch {size}"] = theirs["p50_ms"]
        found[f"graph ms, batch {size}"] = mine
        found[f"times faster, batch {size}"] = theirs["p50_ms"] / mine
    found |= _compiled(bundle, rows, seconds, original)
    return found | (_beside(saved, rows, output, seconds, ours) if peers else {})


def _compiled(bundle: Bundle, rows: Table, seconds: float, original: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """How many times faster the variant `compiled` is than the original, and than the graph in turns with it; empty
    where the model has none."""
    names = [variant.name for variant in bundle.variants]
    times: Sequence[Mapping[str, Any]] = [{}] * len(BATCHES)
    if NAME in names:
        plain, own = (session_of(bundle, THREADS, variant=name) for name in (REFERENCE, NAME))
        times = beside(plain, own, rows, seconds, BATCHES)
    found: dict[str, Any] = {}
    for size, each, theirs in zip(BATCHES, times, original, strict=True):
        found[f"compiled times faster, batch {size}"] = theirs["p50_ms"] / each["variant_p50_ms"] if each else ""
        found[f"compiled than graph, batch {size}"] = each.get("speedup", "")
    return found


def _beside(saved: Saved, rows: Table, folder: Path, seconds: float, ours: list[float]) -> dict[str, Any]:
    """How many times faster the graph is than each peer; empty where the peer does not load the model."""
    import joblib

    model = joblib.load(saved.model)
    x = rows["X"] if list(rows) == ["X"] else None
    runs = (
        {}
        if x is None
        else {
            "skl2onnx": skl2onnx_run(model, x),
            "treelite": treelite_run(model),
            "tl2cgen": tl2cgen_run(model, folder),
        }
    )
    found = {}
    for peer in ("skl2onnx", "treelite", "tl2cgen"):
        run = runs.get(peer)
        times = _timed(run, x, seconds) if run is not None else [None] * len(BATCHES)
        for size, mine, theirs in zip(BATCHES, ours, times, strict=True):
            found[f"than {peer}, batch {size}"] = "" if theirs is None else theirs / mine
    return found


def _timed(run: Run, x: Any, seconds: float) -> list[float]:
    """Medians in milliseconds, of float32 rows, by batch size."""
    import numpy as np

    table = {"X": x.astype(np.float32)}
    return [b["p50_ms"] for b in clocked(run, lambda t: t["X"], table, BATCHES, seconds)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each batch size and side")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the example")
    parser.add_argument("--model", action="append", choices=list(MODELS))
    parser.add_argument("--no-peers", action="store_true", help="the original alone beside the graph")
    given = parser.parse_args(arguments)
    found = measure(given.model or tuple(MODELS), given.seconds, given.rows, not given.no_peers)
    show("latency", found, given.json)


if __name__ == "__main__":
    main()
