"""Trains a classifier with pandas categories and missing values: is a penguin male or female?

The data are `palmerpenguins` (333 penguins of known sex). The model is a joblib file, so that it keeps its labels.

    python examples/lightgbm/train.py build/sex
    mlpack build build/sex/sex.joblib --example build/sex/sex.parquet -o build/sex/dist
"""

from __future__ import annotations

import sys
from pathlib import Path

import joblib
from lightgbm import LGBMClassifier
from palmerpenguins import load_penguins

NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
CATEGORIES = ["species", "island"]


def train(folder: Path) -> tuple[Path, Path]:
    """Writes the model and the example rows into `folder` and returns their paths."""
    penguins = load_penguins().dropna(subset=["sex"])
    inputs = penguins[CATEGORIES + NUMBERS].astype(dict.fromkeys(CATEGORIES, "category"))
    model = LGBMClassifier(n_estimators=60, num_leaves=8, min_child_samples=5, n_jobs=1, random_state=0, verbose=-1)
    model.fit(inputs, penguins["sex"])
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "sex.joblib")
    inputs.to_parquet(folder / "sex.parquet")
    return folder / "sex.joblib", folder / "sex.parquet"


if __name__ == "__main__":
    print(*train(Path(sys.argv[1] if len(sys.argv) > 1 else ".")), sep="\n")
