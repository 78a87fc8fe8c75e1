"""Trains a real model: which species is a penguin? Numbers and text, with the original missing values."""

from __future__ import annotations

import sys
from pathlib import Path

import joblib
from palmerpenguins import load_penguins
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "year"]
TEXTS = ["island", "sex"]


def train(folder: Path) -> None:
    """Writes `penguins.joblib` and the example rows, `penguins.parquet`, into `folder`."""
    penguins = load_penguins()
    inputs = penguins[TEXTS + NUMBERS]
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = ColumnTransformer(
        [("numbers", numbers, NUMBERS), ("texts", OneHotEncoder(handle_unknown="ignore"), TEXTS)]
    )
    model = make_pipeline(columns, HistGradientBoostingClassifier(max_iter=60, random_state=0))
    model.fit(inputs, penguins["species"])
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "penguins.joblib")
    inputs.to_parquet(folder / "penguins.parquet")
    print(f"{folder}/penguins.joblib, fitted on {len(inputs)} penguins")


if __name__ == "__main__":
    train(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
