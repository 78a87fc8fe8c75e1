"""What the guard costs: seconds to load a large forest and a large vocabulary with it and without.

`python -m benchmarks.loading`; processor time, the least of three.
"""

from __future__ import annotations

import pickle
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from mlpack_toolkit.converters._trust.guard import Trusted
from mlpack_toolkit.converters._trust.loading import load_joblib, load_pickle
from mlpack_toolkit.packager.scan import scan

TREES, ROWS = 96, 50_000
TERMS = 1_000_000


def forest() -> Any:
    """A forest of about 200 MB."""
    from sklearn.ensemble import RandomForestClassifier

    random = np.random.default_rng(0)
    x, y = random.normal(size=(ROWS, 6)), random.integers(0, 2, ROWS)
    return RandomForestClassifier(TREES, max_features=1, n_jobs=2, random_state=0).fit(x, y)


def vocabulary() -> Any:
    """A vectoriser of a million terms."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer().fit([" ".join(f"w{i:x}" for i in range(at, at + 1000)) for at in range(0, TERMS, 1000)])


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The models as they are saved, by joblib and as a pickle."""
    for name, model in (("forest", forest()), ("vocabulary", vocabulary())):
        joblib.dump(model, folder / f"{name}.joblib")
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(model))
        yield from ((f"{name} as {kind}", folder / f"{name}.{kind}") for kind in ("joblib", "pkl"))


def seconds(load: Callable[[], Any]) -> float:
    """Processor time, the least of three."""
    found = []
    for _ in range(3):
        start = time.process_time()
        load()
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    """Prints a table."""
    print(f"{'model':24}{'MB':>8}{'scan':>8}{'plain':>8}{'guarded':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for name, path in files(Path(folder)):
            found = scan(path)
            trusted = Trusted(found.names, found.own, found.referred)
            plain, guarded = (joblib.load, load_joblib) if found.kind == "joblib" else (_pickle, load_pickle)
            took = (
                seconds(partial(scan, path)),
                seconds(partial(plain, path)),
                seconds(partial(guarded, path, trusted)),
            )
            print(f"{name:24}{path.stat().st_size / 1e6:8.0f}{took[0]:8.2f}{took[1]:8.2f}{took[2]:9.2f}", flush=True)


def _pickle(path: Path) -> Any:
    with path.open("rb") as file:
        return pickle.load(file)


if __name__ == "__main__":
    main()
