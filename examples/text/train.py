"""Trains a text classifier: which data set does a line of its description belong to?

The lines are from the descriptions of scikit-learn's own data sets (`load_iris().DESCR` and others): real prose,
without a download. The model takes one text.

    python examples/text/train.py build/lines
    mlpack build build/lines/lines.joblib --example build/lines/lines.json -o build/lines/dist
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

SOURCES = {
    "breast cancer": load_breast_cancer,
    "diabetes": load_diabetes,
    "digits": load_digits,
    "iris": load_iris,
    "wine": load_wine,
}


def lines() -> list[tuple[str, str]]:
    """Every line of at least four words, with the name of its data set."""
    found = ((line.strip(), name) for name, load in SOURCES.items() for line in load().DESCR.splitlines())
    return [(line, name) for line, name in found if len(line.split()) >= 4]


def train(folder: Path) -> tuple[Path, Path]:
    """Writes the model and the example lines into `folder` and returns their paths."""
    texts, names = map(list, zip(*lines(), strict=True))
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10, max_iter=500))
    model.fit(texts, names)
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "lines.joblib")
    (folder / "lines.json").write_text(json.dumps(texts, ensure_ascii=False, indent=1), encoding="utf-8")
    return folder / "lines.joblib", folder / "lines.json"


if __name__ == "__main__":
    print(*train(Path(sys.argv[1] if len(sys.argv) > 1 else ".")), sep="\n")
