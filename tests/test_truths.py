"""Truth values with missing cells: pandas' own dtype, objects and categories, from every kind of file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlpack_toolkit.packager.built import Built
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.errors import UsageError
from mlpack_toolkit.runtimes.engine.errors import Refusal
from mlpack_toolkit.runtimes.server.bundle_info import describe
from mlpack_toolkit.runtimes.server.model import Model
from mlpack_toolkit.runtimes.server.protocol.csv_rows import cells_of_csv
from mlpack_toolkit.runtimes.server.protocol.rows import ask_cells, cells_of_rows
from tests.make import build_model, save

ROWS = 120
RNG = np.random.default_rng(0)
RAW = RNG.choice([True, False, None], ROWS, p=[0.5, 0.3, 0.2])
Y = (RNG.random(ROWS) < 0.3) | (RAW == True)  # noqa: E712
FLAGS = {
    "boolean": pd.Series(pd.array(RAW.tolist(), dtype="boolean")),
    "bool object": pd.Series(RAW, dtype=object),
    "bool category": pd.Series(pd.Categorical(RAW)),
}


def _frame(kind: str) -> pd.DataFrame:
    return pd.DataFrame({"flag": FLAGS[kind], "x": np.random.default_rng(1).normal(size=ROWS)})


def _fitted(first: Any, frame: pd.DataFrame, last: Any = None) -> Any:
    columns = ColumnTransformer([("flag", first, ["flag"]), ("x", StandardScaler(), ["x"])])
    return make_pipeline(columns, last or LogisticRegression()).fit(frame, Y)


def _encoder() -> Any:
    return OneHotEncoder(handle_unknown="ignore")


@pytest.mark.parametrize("kind", FLAGS)
def test_each_dtype(kind: str, tmp_path: Path) -> None:
    frame = _frame(kind)
    built = build_model(*save(_fitted(_encoder(), frame), frame, tmp_path), tmp_path / "dist")
    flag = built.signature.inputs[0]
    assert (flag.frame_dtype, flag.values, flag.nullable) == (kind, (0.0, 1.0), True) and flag.is_truth
    assert built.verification.probes["missing"]["label"].rows >= 2


@pytest.mark.parametrize("kind", FLAGS)
def test_an_imputer_before(kind: str, tmp_path: Path) -> None:
    """A cell of None in a column of objects is no NaN to scikit-learn's imputer, and stays."""
    frame = _frame(kind)
    model = _fitted(make_pipeline(SimpleImputer(strategy="most_frequent"), _encoder()), frame)
    assert build_model(*save(model, frame, tmp_path), tmp_path / "dist").verification.equal


def test_a_text_of_none_before_an_imputer_of_nan(tmp_path: Path) -> None:
    frame = _frame("bool object")
    frame["flag"] = frame["flag"].map({True: "yes", False: "no", None: None})
    model = _fitted(make_pipeline(SimpleImputer(strategy="most_frequent"), _encoder()), frame)
    assert build_model(*save(model, frame, tmp_path), tmp_path / "dist").verification.equal


def test_a_booster_that_takes_them(tmp_path: Path) -> None:
    frame = _frame("bool object")
    model = _fitted("passthrough", frame, HistGradientBoostingClassifier(max_iter=3))
    assert build_model(*save(model, frame, tmp_path), tmp_path / "dist").verification.equal


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Built, Path]:
    """A model of a column of objects, its bundle from a csv, and the folder with its rows in three kinds of files."""
    folder = tmp_path_factory.mktemp("objects")
    frame = _frame("bool object")
    model = _fitted(_encoder(), frame)
    path, _ = save(model, frame, folder)
    frame.to_csv(folder / "rows.csv", index=False)
    frame.to_json(folder / "rows.json", orient="records")
    frame.to_parquet(folder / "rows.parquet")
    return model, build_model(path, folder / "rows.csv", folder / "dist"), folder


def test_a_json_example(objects: tuple[Any, Built, Path]) -> None:
    _, built, folder = objects
    again = build_model(folder / "model.joblib", folder / "rows.json", folder / "again")
    assert again.signature.inputs == built.signature.inputs


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_predict(kind: str, objects: tuple[Any, Built, Path], tmp_path: Path) -> None:
    model, built, folder = objects
    predict(built.bundle, folder / f"rows.{kind}", tmp_path / "out.parquet")
    got = pd.read_parquet(tmp_path / "out.parquet")["probability.True"]
    assert np.allclose(got, model.predict_proba(_frame("bool object"))[:, 1], rtol=1e-5)


def test_a_number_that_is_neither(objects: tuple[Any, Built, Path], tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text('[{"flag": 0.5, "x": 0.0}]')
    with pytest.raises(UsageError, match="does not know"):
        predict(objects[1].bundle, tmp_path / "rows.json", tmp_path / "out.json")


def test_the_server_takes_true_false_null_and_numbers(objects: tuple[Any, Built, Path]) -> None:
    bundle = open_bundle(objects[1].bundle)
    model = Model(describe(bundle.place))
    rows = [{"flag": flag, "x": 0.0} for flag in (True, 1, False, 0.0, None)]
    answers = ask_cells(model, cells_of_rows(model, rows))["probabilities"]
    assert (answers[0] == answers[1]).all() and (answers[2] == answers[3]).all()
    assert len({tuple(row) for row in answers.tolist()}) == 3
    csv = ask_cells(model, cells_of_csv(model, b"flag,x\ntrue,0\n1,0\nFALSE,0\n0,0\n,0\n", True))
    assert (csv["probabilities"] == answers).all()
    flags = {"flag": np.array([True, True, False, False]), "x": np.zeros(4)}
    assert (model.ask(flags)["probabilities"] == answers[:4]).all()
    with pytest.raises(Refusal, match="row 0, column 'flag'"):
        ask_cells(model, {"flag": [0.5], "x": [0.0]})
