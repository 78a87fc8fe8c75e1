"""The graph of an R model beside R's own `predict`: one row and 10,000 rows, one thread each.

`python -m benchmarks.latency_r [--json] [--seconds S] [--rows N] [--model NAME]`; R is timed by its own clock, in its
own process. Above 1 the graph is faster.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters import load as converter_of
from mlpack_toolkit.converters._worker.model_input import model_table
from mlpack_toolkit.converters._worker.signature import signature_of
from mlpack_toolkit.converters.latency import measure as clocked
from mlpack_toolkit.converters.rds_frame import levels_in
from mlpack_toolkit.converters.table import take
from mlpack_toolkit.packager.commands.bench import measure_graph
from mlpack_toolkit.packager.data.rds_frames import read_frame

from ._show import show

SCRIPT = Path(__file__).with_name("r_latency.R")
BATCHES = (1, 10_000)
ROWS = 5000


def measure(names: Sequence[str] = (), seconds: float = 1.0, rows: int = ROWS) -> list[dict[str, Any]]:
    """Per model, medians in milliseconds at each batch size, and how many times faster the graph is."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        subprocess.run(["Rscript", "--vanilla", SCRIPT, folder, str(rows)], check=True, capture_output=True)
        known = [path.stem for path in sorted(folder.glob("*.rds")) if path.stem not in ("train", "rows")]
        return [_one(folder, name, seconds) for name in known if not names or name in names]


def _one(folder: Path, name: str, seconds: float) -> dict[str, Any]:
    converter = converter_of("r")
    assert converter.source.load is not None and converter.original.clock is not None
    clock = converter.original.clock
    model = converter.source.load(folder / f"{name}.rds", {"levels": levels_in(folder / "train.rds")})
    description = converter.original.describe(model)
    rows = model_table(description, read_frame(folder / "rows.rds"))
    signature = signature_of(description, rows, converter.original.predict(model, take(rows, slice(0, 50))))
    graph = folder / "model.onnx"
    converter.export.convert(model, description, signature, "float64", graph)
    ours = measure_graph(graph, signature, rows, seconds, BATCHES)
    theirs = clocked(lambda x: clock(model, x), lambda x: x, rows, BATCHES, seconds, clock=lambda x: clock(model, x))
    found: dict[str, Any] = {"model": name, "graph MB": graph.stat().st_size / 1e6}
    for size, mine, his in zip(BATCHES, ours, theirs, strict=True):
        found |= {f"R ms, {size} rows": his["p50_ms"], f"graph ms, {size} rows": mine["p50_ms"]}
        found[f"times faster, {size} rows"] = his["p50_ms"] / mine["p50_ms"]
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rows", type=int, default=ROWS, help="rows that the models are fitted on")
    parser.add_argument("--model", action="append", default=[], help="a model's name; repeatable")
    given = parser.parse_args(arguments)
    show("latency_r", measure(given.model, given.seconds, given.rows), given.json)


if __name__ == "__main__":
    main()
