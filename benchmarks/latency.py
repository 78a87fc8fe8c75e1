"""ONNX Runtime beside the original, one thread each, as the bundles of many kinds of models have it.

`python -m benchmarks.latency [--json] [--seconds S]`; above 1 the graph is the faster one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from converters._table import write_table
from packager.bench import measure_graph
from packager.build import Request, build
from packager.bundle.reader import open_bundle
from packager.original import original_worker
from packager.tables import for_signature, read_example

from ._models import MODELS, ROWS, Saved, save
from ._show import show

BATCHES = (1, 1000)


def measure(names: Sequence[str] = tuple(MODELS), seconds: float = 1.0, rows: int = ROWS) -> list[dict[str, Any]]:
    """Per model and batch size, the medians in milliseconds and how many times faster the graph is."""
    with tempfile.TemporaryDirectory() as work:
        return [_one(save(name, Path(work), rows), Path(work) / "dist", seconds) for name in names]


def _one(saved: Saved, output: Path, seconds: float) -> dict[str, Any]:
    built = build(Request(saved.model, saved.example, output, targets=()))
    bundle = open_bundle(built.bundle)
    rows = for_signature(bundle.signature, read_example(saved.example).table, saved.example.name)
    graph = measure_graph(bundle.model, bundle.signature, rows, seconds, BATCHES)
    with original_worker(bundle, sys.executable, ()) as (worker, _, scratch):
        write_table(rows, scratch / "rows.npz")
        asked = {"rows": str(scratch / "rows.npz"), "batches": list(BATCHES), "seconds": seconds}
        original = worker.call("measure", **asked)["batches"]
    found: dict[str, Any] = {"model": saved.name, "precision": bundle.manifest.facts["precision"]}
    for ours, theirs in zip(graph, original, strict=True):
        size = int(ours["batch"])
        found[f"original ms, batch {size}"] = theirs["p50_ms"]
        found[f"graph ms, batch {size}"] = ours["p50_ms"]
        found[f"times faster, batch {size}"] = theirs["p50_ms"] / ours["p50_ms"]
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each batch size and side")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the example")
    parser.add_argument("--model", action="append", choices=list(MODELS))
    given = parser.parse_args(arguments)
    show("latency", measure(given.model or tuple(MODELS), given.seconds, given.rows), given.json)


if __name__ == "__main__":
    main()
