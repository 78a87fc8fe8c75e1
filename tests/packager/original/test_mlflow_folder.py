"""MLflow model folders, in the layout that MLflow 3.17 writes: read, inspected, built; nothing leaves the folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.linear_model import LogisticRegression

from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands.inspect import inspect
from mlpack_toolkit.packager.data.json_rows import unwrapped
from mlpack_toolkit.packager.data.readers import read_example
from mlpack_toolkit.packager.errors import ConversionError, ModelError, UsageError
from mlpack_toolkit.packager.original.mlflow_folder import example_in, is_mlflow, read_mlflow

Run = Callable[..., tuple[int, dict[str, Any], str]]
ROWS = pd.DataFrame({"a": np.arange(40.0) % 7, "b": np.arange(40.0) % 5, "n": np.arange(40) % 3})
LABEL = np.where(ROWS["a"] > 3, "yes", "no")
FITTED = LogisticRegression().fit(ROWS, LABEL)
COLUMNS = [{"type": "double", "name": "a"}, {"type": "double", "name": "b"}, {"type": "long", "name": "n"}]
INFO = {"artifact_path": "input_example.json", "pandas_orient": "split", "type": "dataframe"}


def mlmodel(flavour: str, facts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What MLflow writes into `MLmodel`."""
    own = {flavour: facts} if flavour else {}
    function = {"loader_module": f"mlflow.{flavour}", "python_version": "3.11.7", "env": {"conda": "conda.yaml"}}
    return {
        "flavors": {"python_function": function, **own},
        "mlflow_version": "3.17.2",
        "model_uuid": "d6fb97e2",
        "utc_time_created": "2026-11-30 08:00:00.000000",
        "signature": {"inputs": json.dumps(COLUMNS), "outputs": json.dumps([{"type": "string"}]), "params": None},
        "saved_input_example_info": INFO,
        **more,
    }


def folder_of(place: Path, plain: dict[str, Any], split: bool = True) -> Path:
    """A folder with `MLmodel`, a model and an example whose real columns are written as whole numbers."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "MLmodel").write_text(yaml.safe_dump(plain))
    joblib.dump(FITTED, place / "model.pkl")
    if split:
        cells = [[int(c) for c in row] for row in ROWS.to_numpy()]
        (place / "input_example.json").write_text(json.dumps({"columns": list(ROWS), "data": cells}))
    return place


SKLEARN = {"pickled_model": "model.pkl", "serialization_format": "pickle", "sklearn_version": "1.9.1", "code": None}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "spam filter", mlmodel("sklearn", SKLEARN))


def test_what_the_folder_says(folder: Path) -> None:
    found = read_mlflow(folder)
    assert (found.flavour, found.mlflow, found.model.name) == ("sklearn", "3.17.2", "model.pkl")
    assert found.example == folder / "input_example.json" == example_in(folder)
    assert found.inputs == {"a": "double", "b": "double", "n": "long"} and found.reals == ("a", "b")
    facts = inspect(folder)
    assert (facts["flavour"], facts["example"]) == ("sklearn", "input_example.json")
    assert facts["inputs"] == ["a: double", "b: double", "n: long"] and facts["root"].endswith("LogisticRegression")


def test_it_builds_without_an_example_of_its_own(folder: Path, mlpack: Run, tmp_path: Path) -> None:
    code, said, error = mlpack("build", folder, "--target", "cpp")
    assert code == 0, error
    assert "note: read from an MLflow model folder, flavour sklearn: model.pkl" in error
    bundle = open_bundle(tmp_path / said["bundle"])
    assert (bundle.name, bundle.source.path) == ("spam-filter", "model/source/model.pkl")
    assert [(t.name, t.dtype) for t in bundle.signature.inputs] == [("a", "float32"), ("b", "float32"), ("n", "int64")]


def test_another_example_and_name_win(folder: Path, mlpack: Run, tmp_path: Path) -> None:
    ROWS.to_parquet(tmp_path / "rows.parquet")
    (folder / "input_example.json").write_text("[broken")
    options = ("--example", tmp_path / "rows.parquet", "--name", "mine", "--target", "cpp")
    code, said, error = mlpack("build", folder, *options)
    assert code == 0 and said["bundle"] == "dist/mine-1.0.0", error


def test_without_an_example(folder: Path, mlpack: Run) -> None:
    (folder / "input_example.json").unlink()
    code, said, _ = mlpack("build", folder)
    assert code == 2 and "has no input example: give example rows with --example FILE" in said["error"]["message"]
    assert inspect(folder)["example"] == "none: give --example FILE"


def test_a_folder_that_mlflow_did_not_write(tmp_path: Path, mlpack: Run) -> None:
    (tmp_path / "rows.csv").write_text("a\n1\n")
    code, said, _ = mlpack("build", tmp_path, "--example", tmp_path / "rows.csv")
    assert (
        code == 2
        and "is a folder that neither TensorFlow (saved_model.pb), MLflow (MLmodel) nor Hugging Face"
        in said["error"]["message"]
    )
    assert not is_mlflow(tmp_path)


def test_the_serving_example_is_found_where_mlmodel_names_none(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "m", mlmodel("sklearn", SKLEARN, saved_input_example_info=None), split=False)
    (place / "serving_input_example.json").write_text('{"dataframe_records": [{"a": 1.5, "b": 2, "n": 1}]}')
    assert example_in(place).name == "serving_input_example.json"
    assert read_example(example_in(place)).table["a"].tolist() == [1.5]


FORMS = [
    ({"columns": ["a", "b"], "data": [[1, "x"], [2, None]]}, {"a": [1, 2], "b": ["x", None]}),
    ({"columns": ["a"], "index": [7], "data": [[1]]}, {"a": [1]}),
    ({"dataframe_split": {"columns": ["a"], "data": [[1]]}}, {"a": [1]}),
    ({"dataframe_records": [{"a": 1}]}, [{"a": 1}]),
    ({"inputs": [[1.0, 2.0]]}, [[1.0, 2.0]]),
    ({"inputs": {"a": [1]}, "params": {"t": 1}}, {"a": [1]}),
    ({"instances": [[1.0]]}, [[1.0]]),
    ({"columns": [1, 2], "data": [3, 4]}, {"columns": [1, 2], "data": [3, 4]}),
]


@pytest.mark.parametrize(("plain", "rows"), FORMS, ids=range(len(FORMS)))
def test_the_forms_of_rows(plain: Any, rows: Any) -> None:
    assert unwrapped(plain) == rows


def test_a_request_stays_one() -> None:
    request = {"inputs": [{"name": "a", "datatype": "FP64", "shape": [1], "data": [1.0]}]}
    assert unwrapped(request) == request


def test_rows_of_unequal_length() -> None:
    with pytest.raises(UsageError, match="must have 2 cells each"):
        unwrapped({"columns": ["a", "b"], "data": [[1]]})


def test_code_of_ones_own_is_refused_by_name(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "m", mlmodel("", {}))
    with pytest.raises(
        ConversionError, match=r"python_function \(pyfunc\).*one of: catboost, lightgbm, onnx, sklearn, xg"
    ):
        read_mlflow(place)


@pytest.mark.parametrize("flavour", ["pytorch", "spark", "prophet", "crate"])
def test_other_flavours_are_refused_by_name(flavour: str, tmp_path: Path) -> None:
    place = folder_of(tmp_path / "m", mlmodel(flavour, {"data": "model.pkl"}))
    with pytest.raises(ConversionError, match=f"no converter for the MLflow flavour {flavour}; log the model"):
        read_mlflow(place)


@pytest.mark.parametrize("path", ["../secret.pkl", "/etc/passwd", "sub/../../secret.pkl", ".", "link.pkl", "a\0b"])
@pytest.mark.parametrize("what", ["model", "example"])
def test_no_path_leaves_the_folder(path: str, what: str, tmp_path: Path) -> None:
    joblib.dump(FITTED, tmp_path / "secret.pkl")
    facts = {**SKLEARN, "pickled_model": path} if what == "model" else SKLEARN
    info = {**INFO, "artifact_path": path} if what == "example" else INFO
    place = folder_of(tmp_path / "m", mlmodel("sklearn", facts, saved_input_example_info=info))
    os.symlink(tmp_path / "secret.pkl", place / "link.pkl")
    with pytest.raises(ModelError, match=r"leaves the folder|cannot be followed"):
        read_mlflow(place)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flavors: [", "cannot be read as YAML"),
        ("[1, 2]", "names no flavors"),
        ("flavors: none", "names no flavors"),
        ("flavors: {sklearn: {}}", "names no file of its flavour sklearn"),
        ("flavors: {sklearn: {pickled_model: gone.pkl}}", "lacks its model file gone.pkl"),
        ("!!python/object/apply:os.system ['touch trace']", "cannot be read as YAML"),
        ("[" * 100_000, "cannot be read as YAML"),
        ("# " + "x" * (1 << 20), "is larger than"),
        ("\x00", "cannot be read as YAML"),
    ],
    ids=range(9),
)
def test_a_damaged_or_hostile_mlmodel(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(ModelError, match=said):
        read_mlflow(tmp_path)
    assert not (tmp_path / "trace").exists()


def test_a_model_that_is_a_folder(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "m", mlmodel("xgboost", {"data": "parts"}))
    (place / "parts").mkdir()
    with pytest.raises(ConversionError, match=r"keeps its model in a folder \(parts\)"):
        read_mlflow(place)


def _native(kind: str, path: Path) -> Any:
    if kind == "xgboost":
        import xgboost

        model = xgboost.XGBClassifier(n_estimators=3).fit(ROWS, LABEL == "yes")
        model.save_model(path)
    elif kind == "lightgbm":
        import lightgbm

        model = lightgbm.LGBMRegressor(n_estimators=3, verbose=-1).fit(ROWS, ROWS["a"])
        model.booster_.save_model(path)
    else:
        import catboost

        model = catboost.CatBoostRegressor(iterations=3, verbose=0, allow_writing_files=False).fit(ROWS, ROWS["a"])
        model.save_model(str(path))
    return model


@pytest.mark.parametrize(
    ("kind", "name"), [("xgboost", "model.ubj"), ("lightgbm", "model.lgb"), ("catboost", "model.cb")]
)
def test_the_boosters_own_files(kind: str, name: str, tmp_path: Path, mlpack: Run) -> None:
    place = folder_of(tmp_path / kind, mlmodel(kind, {"data": name, "model_class": "x"}))
    _native(kind, place / name)
    code, said, error = mlpack("build", place, "--target", "cpp")
    assert code == 0 and said["verification"]["verdict"] == "equal", error
