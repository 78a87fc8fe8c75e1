"""Bundles that several tests of the packager look at: built once, never changed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from mlpack_toolkit.packager.bundle.reader import Bundle, open_bundle
from tests.make import build_model, save
from tests.once import once
from tests.packager.variants.deep import built_once

settings.register_profile("loaded machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("loaded machine")

HOSTILE = "<script>alert(1)</script>"
MOODS = ["😀", "naïve", "日本", ""]


@dataclass(frozen=True)
class Made:
    """A fitted model with its files and its bundle. `rows`: the example as the model takes it."""

    fitted: Any
    rows: Any
    model: Path
    example: Path
    folder: Path

    @property
    def bundle(self) -> Bundle:
        return open_bundle(self.folder)


def make(fitted: Any, rows: Any, folder: Path, name: str, **options: Any) -> Made:
    model, example = save(fitted, rows, folder, name)
    built = build_model(model, example, folder / "dist", **options)
    return Made(fitted, rows, model, example, built.bundle)


def made_once(
    factory: pytest.TempPathFactory, place: str, fitted: Any, rows: Any, name: str = "", **options: Any
) -> Made:
    """The same, made by one worker for all; `name`: the model's, that of the place by default."""
    folder = once(factory, place, lambda folder: make(fitted, rows, folder, name or place, **options))
    files = {p.suffix == ".joblib": p for p in folder.iterdir() if p.is_file()}
    (bundle,) = (folder / "dist").iterdir()
    return Made(fitted, rows, files[True], files[False], bundle)


@pytest.fixture(scope="session")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A matrix of four numbers to three classes."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    x, y = load_iris(return_X_y=True)
    return made_once(tmp_path_factory, "flowers", LogisticRegression(max_iter=500).fit(x, y), x)


@pytest.fixture(scope="session")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Text in four scripts, an integer and a number to two text classes; refuses unseen text and missing numbers.

    The names of a column and of a class are an attack on whoever writes them into a page.
    """
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "mood": rng.choice(MOODS, 120),
            HOSTILE: rng.normal(size=120).round(3),
            "age": rng.integers(18, 80, 120),
        }
    )
    label = np.where(rows["mood"].isin(MOODS[:2]) ^ (rows[HOSTILE] > 0), "<b>aye</b>", 'no "way"')
    columns = ColumnTransformer([("text", OneHotEncoder(), ["mood"])], remainder="passthrough")
    fitted = make_pipeline(columns, LogisticRegression(max_iter=2000)).fit(rows, label)
    return made_once(tmp_path_factory, "crew", fitted, rows)


@pytest.fixture(scope="session")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Two targets at once from a frame of numbers and a flag."""
    import pandas as pd
    from sklearn.linear_model import LinearRegression

    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"size": rng.normal(80, 20, 60).round(1), "rooms": rng.integers(1, 6, 60)})
    target = np.stack([rows["size"] * 3000 + rows["rooms"] * 10, rows["rooms"] - rows["size"] / 50], axis=1)
    return made_once(tmp_path_factory, "prices", LinearRegression().fit(rows, target), rows)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network, its rows, and its bundle of five variants."""
    return built_once(tmp_path_factory)


@pytest.fixture
def copy(flowers: Made, tmp_path: Path) -> Path:
    """A bundle of one's own, to be damaged."""
    place = tmp_path / "copy"
    shutil.copytree(flowers.folder, place)
    return place
