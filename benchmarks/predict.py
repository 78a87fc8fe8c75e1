"""`mlpack predict` from csv to parquet beside pandas and the original, and whether its memory stays flat.

`python -m benchmarks.predict [--json] [--rows N]`; the rows are like the penguins: text and numbers, missing cells.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from examples.penguins.train import train

from ._models import penguins
from ._process import MLPACK, PYTHON, Usage, run
from ._show import show

ROWS = 2_000_000


def measure(rows: int = ROWS, runs: int = 3) -> list[dict[str, Any]]:
    """For a tenth of the rows and for all, both sides' medians of seconds and the peak of memory in MB."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        train(folder)
        model, example = folder / "penguins.joblib", folder / "penguins.parquet"
        run([*MLPACK, "build", model, "--example", example, "-o", folder / "dist"])
        bundle = folder / "dist" / "penguins-1.0.0"
        return [_one(folder, bundle, model, count, runs) for count in (rows // 10, rows)]


def _one(folder: Path, bundle: Path, model: Path, rows: int, runs: int) -> dict[str, Any]:
    source, answers = folder / f"{rows}.csv", folder / "answers.parquet"
    penguins(rows).to_csv(source, index=False)
    pairs = [
        (
            run([*MLPACK, "predict", bundle, source, "-o", answers]),
            run([PYTHON, "-c", WITH_PANDAS, model, source, answers]),
        )
        for _ in range(runs)
    ]
    ours, theirs = zip(*pairs, strict=True)
    row: dict[str, Any] = {"rows": rows}
    for name, side in (("mlpack", ours), ("pandas", theirs)):
        row |= _facts(name, side)
    return {**row, "times faster": row["pandas s"] / row["mlpack s"]}


def _facts(name: str, side: Sequence[Usage]) -> dict[str, Any]:
    return {
        f"{name} s": median(u.wall for u in side),
        f"{name} CPU s": median(u.cpu for u in side),
        f"{name} peak MB": max(u.peak for u in side) / 1e6,
    }


WITH_PANDAS = """
import sys
import joblib
import pandas
model = joblib.load(sys.argv[1])
rows = pandas.read_csv(sys.argv[2])
answers = pandas.DataFrame(model.predict_proba(rows), columns=[f"probability.{c}" for c in model.classes_])
answers.insert(0, "label", model.predict(rows))
answers.to_parquet(sys.argv[3])
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args(arguments)
    show("predict", measure(given.rows, given.runs), given.json)


if __name__ == "__main__":
    main()
