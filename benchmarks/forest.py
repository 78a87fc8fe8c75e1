"""The build of a forest of a million nodes: how long, and how much memory in both processes.

`python -m benchmarks.forest [--json] [--trees N]`
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ._models import numbers
from ._process import MLPACK, run
from ._show import show

TREES = 150
ROWS = 20_000
MOST_SECONDS, MOST_MB = 60, 3000


def measure(trees: int = TREES, rows: int = ROWS) -> list[dict[str, Any]]:
    """One row: nodes, seconds, and the processes' peaks of memory added, in MB."""
    with tempfile.TemporaryDirectory() as work:
        nodes = _train(Path(work), trees, rows)
        used = run([*MLPACK, "build", Path(work) / "forest.joblib", "--example", Path(work) / "x.npy", "-o", work])
        size = (Path(work) / "forest-1.0.0" / "model" / "model.onnx").stat().st_size
    return [
        {
            "nodes": nodes,
            "trees": trees,
            "build s": used.wall,
            "build CPU s": used.cpu,
            "peak MB": used.peak / 1e6,
            "graph MB": size / 1e6,
            "within": used.wall <= MOST_SECONDS and used.peak <= MOST_MB * 1e6,
        }
    ]


def _train(folder: Path, trees: int, rows: int) -> int:
    """How many nodes the forest has that now lies in `folder`; half its labels are noise, so that it grows deep."""
    import joblib
    import numpy as np
    from sklearn.ensemble import RandomForestClassifier

    x, y = numbers(rows)
    rng = np.random.default_rng(1)
    y = np.where(rng.random(rows) < 0.5, rng.integers(0, 3, rows), y)
    forest = RandomForestClassifier(trees, random_state=0, n_jobs=-1).fit(x, y)
    joblib.dump(forest, folder / "forest.joblib")
    np.save(folder / "x.npy", x[:2000])
    return sum(tree.tree_.node_count for tree in forest.estimators_)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--trees", type=int, default=TREES)
    parser.add_argument("--rows", type=int, default=ROWS, help="rows that the forest is fitted on")
    given = parser.parse_args(arguments)
    show("forest", measure(given.trees, given.rows), given.json)


if __name__ == "__main__":
    main()
