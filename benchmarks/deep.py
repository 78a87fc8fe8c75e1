"""Whole networks of PyTorch: the bundle's graph in ONNX Runtime beside torch, as it comes and compiled, on one thread.

`MLPACK_TORCH_PYTHON=PYTHON python -m benchmarks.deep [--json] [--no-compile] [--batches 1 32] [KEY ...]`. The calls
of a line take turns in one process; above 1 the graph is faster. A system that has no batch is timed on its example.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ._process import run
from ._show import show
from .coverage_torch import build_command, in_torch

BATCHES = (1, 32)
NOT_MEASURED = "-"


def measure(
    keys: Sequence[str] = (), batches: Sequence[int] = BATCHES, compiled: bool = True, rtol: float | None = None
) -> list[dict[str, Any]]:
    """A row per system and batch size: medians in milliseconds, and how many times faster the graph is."""
    found = [each for each in in_torch("list") if (each["key"] in keys if keys else not each["big"])]
    return [row for system in found for row in _rows(system, batches, compiled, rtol)]


def _rows(
    system: Mapping[str, Any], batches: Sequence[int], compiled: bool, rtol: float | None
) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        in_torch("make", system["key"], folder)
        run(build_command(system, folder, rtol))
        (graph,) = (folder / "dist" / "model-1.0.0" / "model").glob("*.onnx")
        return [_row(system, graph, rows, compiled) for rows in (batches if system["batched"] else (1,))]


def _row(system: Mapping[str, Any], graph: Path, rows: int, compiled: bool) -> dict[str, Any]:
    took = in_torch("time", system["key"], graph, rows, "yes" if compiled else "no")
    fast = took.get("compiled")
    return {
        "model": system["name"],
        "batch": rows,
        "graph ms": took["graph"],
        "torch ms": took["eager"],
        "compiled ms": fast or took["why"] or NOT_MEASURED,
        "of torch": took["eager"] / took["graph"],
        "of compiled": fast / took["graph"] if fast else NOT_MEASURED,
        "never slower than torch": took["graph"] <= took["eager"],
        "compiling s": took["compiling"],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("keys", nargs="*", help="systems, as family:factory; all that are not big unless given")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--rtol", type=float)
    given = parser.parse_args(arguments)
    show("deep", measure(given.keys, given.batches, not given.no_compile, given.rtol), given.json)


if __name__ == "__main__":
    main()
