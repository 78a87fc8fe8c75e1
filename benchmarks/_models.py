"""The models that are measured, fitted on made-up rows (and on the penguins), and saved with their example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROWS = 2000


@dataclass(frozen=True)
class Saved:
    """A fitted model's file and its example's."""

    name: str
    model: Path
    example: Path


def save(name: str, folder: Path, rows: int = ROWS) -> Saved:
    """The model of that name, fitted on `rows` rows."""
    import joblib

    fitted, example = MODELS[name](rows)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.joblib"
    joblib.dump(fitted, path)
    if isinstance(example, np.ndarray):
        kept = folder / f"{name}.npy"
        np.save(kept, example)
    else:
        kept = folder / f"{name}.parquet"
        example.to_parquet(kept)
    return Saved(name, path, kept)


def penguins(rows: int) -> Any:
    """A frame of that many penguins like the real ones: text and numbers, with missing cells."""
    from palmerpenguins import load_penguins

    real = load_penguins().drop(columns=["species"])
    rng = np.random.default_rng(0)
    drawn = real.iloc[rng.integers(0, len(real), rows)].reset_index(drop=True)
    for column in ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"):
        drawn[column] = (drawn[column] * rng.normal(1, 0.01, rows)).round(2)
    return drawn


def numbers(rows: int, columns: int = 20, classes: int = 3) -> tuple[Any, Any]:
    """A matrix and labels that depend on it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, columns))
    score = x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(size=rows) * 0.3
    return x, np.digitize(score, np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1]))


def _text_pipeline(rows: int) -> tuple[Any, Any]:
    from palmerpenguins import load_penguins
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    real = load_penguins()
    texts = ["island", "sex"]
    measured = [c for c in real.columns if c not in (*texts, "species")]
    scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = ColumnTransformer([("n", scaled, measured), ("t", OneHotEncoder(handle_unknown="ignore"), texts)])
    model = make_pipeline(columns, LogisticRegression(max_iter=1000))
    model.fit(real[[*texts, *measured]], real["species"])
    return model, penguins(rows)[[*texts, *measured]]


def _linear_pipeline(rows: int) -> tuple[Any, Any]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return _fitted(make_pipeline(StandardScaler(), LogisticRegression()), rows)


def _forest(rows: int, trees: int = 300) -> tuple[Any, Any]:
    from sklearn.ensemble import RandomForestClassifier

    return _fitted(RandomForestClassifier(trees, max_depth=12, random_state=0), rows)


def _forest_regressor(rows: int) -> tuple[Any, Any]:
    from sklearn.ensemble import RandomForestRegressor

    return _fitted(RandomForestRegressor(100, max_depth=12, random_state=0), rows)


def _hist_boosting(rows: int) -> tuple[Any, Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return _fitted(HistGradientBoostingClassifier(max_iter=100, random_state=0), rows)


def _gradient_boosting(rows: int) -> tuple[Any, Any]:
    from sklearn.ensemble import GradientBoostingClassifier

    return _fitted(GradientBoostingClassifier(n_estimators=100, random_state=0), rows)


def _xgboost(rows: int) -> tuple[Any, Any]:
    from xgboost import XGBClassifier

    return _fitted(XGBClassifier(n_estimators=100, n_jobs=1), rows)


def _lightgbm(rows: int) -> tuple[Any, Any]:
    from lightgbm import LGBMClassifier

    return _fitted(LGBMClassifier(n_estimators=100, n_jobs=1, verbose=-1), rows)


def _catboost(rows: int) -> tuple[Any, Any]:
    from catboost import CatBoostClassifier

    silent = CatBoostClassifier(iterations=100, thread_count=1, verbose=False, allow_writing_files=False)
    return _fitted(silent, rows)


def _svm(rows: int) -> tuple[Any, Any]:
    from sklearn.svm import SVC

    return _fitted(SVC(), rows)


def _neighbors(rows: int) -> tuple[Any, Any]:
    from sklearn.neighbors import KNeighborsClassifier

    return _fitted(KNeighborsClassifier(), rows)


def _fitted(model: Any, rows: int) -> tuple[Any, Any]:
    x, y = numbers(rows)
    return model.fit(x, y), x


MODELS: dict[str, Callable[[int], tuple[Any, Any]]] = {
    "linear pipeline": _linear_pipeline,
    "text pipeline": _text_pipeline,
    "forest of 300": _forest,
    "forest regressor": _forest_regressor,
    "hist boosting": _hist_boosting,
    "gradient boosting": _gradient_boosting,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "catboost": _catboost,
    "svm": _svm,
    "neighbors": _neighbors,
}
