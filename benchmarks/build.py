"""`mlpack build` beside the bare work in one process: load the model, convert it with skl2onnx, ask both once.

`python -m benchmarks.build [--json] [--runs N]`
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from ._models import ROWS, Saved, save
from ._process import MLPACK, PYTHON, Usage, run
from ._show import show

NAMES = ("text pipeline", "forest of 300", "hist boosting")
FACTOR, MORE_SECONDS = 2.0, 1.0


def measure(names: Sequence[str] = NAMES, runs: int = 5, rows: int = ROWS) -> list[dict[str, Any]]:
    """Per model, the medians of both in seconds, run in alternation, after one run of each that is not counted."""
    with tempfile.TemporaryDirectory() as work:
        return [_one(save(name, Path(work), rows), Path(work), runs) for name in names]


def _one(saved: Saved, work: Path, runs: int) -> dict[str, Any]:
    pairs = [(_build(saved, work / f"{saved.name} {i}"), _bare(saved)) for i in range(runs + 1)][1:]
    built, bare = (median(p.wall for p in side) for side in zip(*pairs, strict=True))
    built_cpu, bare_cpu = (median(p.cpu for p in side) for side in zip(*pairs, strict=True))
    allowed = FACTOR * bare + MORE_SECONDS
    return {
        "model": saved.name,
        "build s": built,
        "bare s": bare,
        "allowed s": allowed,
        "within": built <= allowed,
        "build CPU s": built_cpu,
        "bare CPU s": bare_cpu,
    }


def _build(saved: Saved, output: Path) -> Usage:
    return run([*MLPACK, "build", saved.model, "--example", saved.example, "-o", output])


def _bare(saved: Saved) -> Usage:
    return run([PYTHON, "-c", BARE, saved.model, saved.example])


BARE = """
import sys
import joblib
import numpy
model = joblib.load(sys.argv[1])
if sys.argv[2].endswith(".npy"):
    x = numpy.load(sys.argv[2])
    asked = x.astype("float32")
    feeds = {"X": asked}
else:
    import pandas
    x = pandas.read_parquet(sys.argv[2])
    asked = x.astype({c: "float32" for c in x.select_dtypes("number")})
    feeds = {c: asked[c].to_numpy().reshape(-1, 1) for c in asked.select_dtypes("number")}
    feeds |= {c: x[c].fillna("").to_numpy(object).reshape(-1, 1) for c in x.select_dtypes(exclude="number")}
from skl2onnx import to_onnx
graph = to_onnx(model, asked[:1], options={id(model): {"zipmap": False}})
import onnxruntime
session = onnxruntime.InferenceSession(graph.SerializeToString())
session.run(None, feeds)
model.predict(x), model.predict_proba(x)
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the example")
    parser.add_argument("--model", action="append", choices=NAMES)
    given = parser.parse_args(arguments)
    show("build", measure(given.model or NAMES, given.runs, given.rows), given.json)


if __name__ == "__main__":
    main()
