"""Kinds of columns and files that the example may have, from the file to a graph that answers alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import CategoricalNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from mlpack_toolkit.packager.built import Built
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.errors import UsageError
from tests.make import asked_again, build_model, save

ROWS = 120


@pytest.fixture
def visits() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    days = pd.to_datetime("2024-01-01") + pd.to_timedelta(rng.integers(0, 9, ROWS), "D")
    return pd.DataFrame({"day": days, "spent": rng.normal(size=ROWS), "member": rng.random(ROWS) < 0.5})


def _built(model: Any, example: Any, folder: Path) -> Built:
    return build_model(*save(model, example, folder), folder / "dist")


def _after(first: Any, visits: pd.DataFrame) -> Any:
    label = visits["day"].dt.day % 2
    others = ("rest", StandardScaler(), ["spent", "member"])
    columns = ColumnTransformer([("day", first, ["day"]), others] if first else [others])
    return make_pipeline(columns, LogisticRegression()).fit(visits, label)


@pytest.mark.parametrize(
    "first",
    [
        None,
        OneHotEncoder(handle_unknown="ignore"),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    ],
    ids=["left out", "one-hot", "ordinal"],
)
def test_a_column_of_dates(first: Any, visits: pd.DataFrame, tmp_path: Path) -> None:
    """It is a whole number since 1970 in the column's own unit; the original gets dates."""
    built = _built(_after(first, visits), visits, tmp_path)
    inputs = {t.name: t for t in built.signature.inputs}
    assert ("day" in inputs) == (first is not None)
    again = asked_again(built)
    assert again["same_bits"] == again["cases"] > 1
    if first is not None:
        assert inputs["day"].dtype == "int64" and inputs["day"].frame_dtype.startswith("datetime64[")
        assert built.verification.probes["category"]["label"].rows >= 9


def test_dates_with_a_time_zone_that_the_model_leaves_out(visits: pd.DataFrame, tmp_path: Path) -> None:
    visits["day"] = visits["day"].dt.tz_localize("Europe/Oslo")
    visits.loc[3, "day"] = pd.NaT
    model = _after(None, visits.assign(day=visits["day"].ffill()))
    assert [t.name for t in _built(model, visits, tmp_path).signature.inputs] == ["spent", "member"]


def test_a_sparse_matrix_as_the_example(tmp_path: Path) -> None:
    from joblib import dump
    from scipy import sparse

    rows = sparse.random(ROWS, 15, 0.2, format="csr", random_state=0)
    dump(Ridge().fit(rows, rows[:, [0]].toarray().ravel()), tmp_path / "model.joblib")
    sparse.save_npz(tmp_path / "X.npz", rows)
    built = build_model(tmp_path / "model.joblib", tmp_path / "X.npz", tmp_path / "dist")
    assert built.signature.inputs[0].shape == ("N", 15)
    assert built.verification.probes["example"]["prediction"].rows == ROWS


def test_a_frame_as_polars_writes_it(visits: pd.DataFrame, tmp_path: Path) -> None:
    """Large strings, dictionaries, dates without a time; no pandas in the file's metadata."""
    import pyarrow as pa
    from joblib import dump
    from pyarrow import parquet

    city = np.random.default_rng(1).choice(["Oslo", "Rome"], ROWS)
    columns = {
        "city": pa.array(city, pa.large_string()),
        "kind": pa.array(city).dictionary_encode(),
        "day": pa.array(visits["day"].dt.date.tolist(), pa.date32()),
        "spent": pa.array([None if s > 1 else s for s in visits["spent"]]),
    }
    parquet.write_table(pa.table(columns), tmp_path / "X.parquet")
    frame = pd.read_parquet(tmp_path / "X.parquet").assign(spent=visits["spent"])
    encoded = ColumnTransformer([("text", OneHotEncoder(), ["city", "kind"]), ("number", "passthrough", ["spent"])])
    from sklearn.ensemble import RandomForestClassifier

    model = make_pipeline(encoded, RandomForestClassifier(5, random_state=0)).fit(frame, city == "Oslo")
    dump(model, tmp_path / "model.joblib")
    built = build_model(tmp_path / "model.joblib", tmp_path / "X.parquet", tmp_path / "dist")
    assert [t.name for t in built.signature.inputs] == ["city", "kind", "spent"]


CITIES = pd.DataFrame(
    {
        "city": pd.Categorical(np.random.default_rng(0).choice(["Oslo", "Rome", "Bern"], ROWS)),
        "code": pd.Categorical(np.random.default_rng(1).choice([3, 5, 8], ROWS)),
        "spent": np.random.default_rng(2).normal(size=ROWS),
    }
)


def _booster(name: str) -> Any:
    from lightgbm import LGBMRegressor
    from xgboost import XGBRegressor

    boosters = {
        "lightgbm": LGBMRegressor(n_estimators=4, min_child_samples=5, verbose=-1),
        "xgboost": XGBRegressor(n_estimators=4, enable_categorical=True),
    }
    return boosters[name].fit(CITIES, (CITIES["city"] == "Oslo") * 2.0 + (CITIES["code"] == 5) + CITIES["spent"])


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_pandas_categories_from_a_csv(name: str, tmp_path: Path) -> None:
    """The file remembers no categories: the model knows its own."""
    model = _booster(name)
    path, _ = save(model, CITIES, tmp_path)
    CITIES.to_csv(tmp_path / "rows.csv", index=False)
    built = build_model(path, tmp_path / "rows.csv", tmp_path / "dist")
    assert [t.frame_dtype for t in built.signature.inputs] == ["category", "category", ""]
    predict(built.bundle, tmp_path / "rows.csv", tmp_path / "out.parquet")
    got = pd.read_parquet(tmp_path / "out.parquet")["prediction"]
    assert np.allclose(got, model.predict(CITIES), rtol=1e-5, atol=1e-6)


def test_codes_with_fractions(tmp_path: Path) -> None:
    """CategoricalNB cuts what is behind the point."""
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.integers(0, n, ROWS) for n in (2, 5)]).astype(float)
    model = CategoricalNB().fit(x, (x[:, 0] + x[:, 1]) % 3)
    built = _built(model, x, tmp_path)
    rows = np.array([[1.33, 4.99], [0.999, -0.5]])
    np.save(tmp_path / "rows.npy", rows)
    predict(built.bundle, tmp_path / "rows.npy", tmp_path / "out.parquet")
    got = pd.read_parquet(tmp_path / "out.parquet")
    assert got["label"].tolist() == model.predict(rows).tolist()
    np.save(tmp_path / "rows.npy", np.array([[0.0, 5.0]]))
    with pytest.raises(UsageError, match="a number above"):
        predict(built.bundle, tmp_path / "rows.npy", tmp_path / "out.parquet")
