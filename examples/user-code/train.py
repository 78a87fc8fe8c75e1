r"""Trains a classifier of wines with custom steps, which are in `code/` beside this file.

    python examples/user-code/train.py build/wine
    mlpack build build/wine/wine.joblib --example build/wine/wine.parquet --code examples/user-code/code \
        -o build/wine/dist
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import joblib
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

CODE = Path(__file__).resolve().parent / "code"


def train(folder: Path) -> tuple[Path, Path]:
    """Writes the model and the example rows into `folder` and returns their paths."""
    if str(CODE) not in sys.path:
        sys.path.insert(0, str(CODE))
    steps = import_module("wine_steps")
    wines, kinds = load_wine(return_X_y=True, as_frame=True)
    wines.columns = [name.replace("/", "_per_") for name in wines.columns]
    model = make_pipeline(
        FunctionTransformer(steps.with_ratios), steps.Winsorize(0.02), StandardScaler(), steps.NearestMean()
    )
    model.fit(wines, kinds)
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "wine.joblib")
    wines.to_parquet(folder / "wine.parquet")
    return folder / "wine.joblib", folder / "wine.parquet"


if __name__ == "__main__":
    print(*train(Path(sys.argv[1] if len(sys.argv) > 1 else ".")), sep="\n")
