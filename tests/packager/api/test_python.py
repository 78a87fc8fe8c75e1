"""A Python program builds what it holds and asks the bundle, with rows of every kind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_matrix, load_npz
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import mlpack_toolkit as mlpack
from mlpack_toolkit.packager.api.loaded import LoadedBundle
from mlpack_toolkit.packager.api.page import _speed as card_speed
from mlpack_toolkit.packager.api.rows import write_rows
from mlpack_toolkit.packager.errors import DamagedError, UsageError

KEYS = pd.Index([f"row {i}" for i in range(60)], name="key")


def frame() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    kinds = pd.Series(draw.choice(["a", "b"], 60), index=KEYS)
    return pd.DataFrame({"kind": kinds, "size": draw.normal(size=60), "count": draw.integers(0, 9, 60)}, KEYS)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return frame()


@pytest.fixture(scope="module")
def model(rows: pd.DataFrame) -> Any:
    columns = ColumnTransformer([("kind", OneHotEncoder(), ["kind"]), ("n", StandardScaler(), ["size", "count"])])
    return make_pipeline(columns, LogisticRegression()).fit(rows, np.where(rows["size"] > 0, "yes", "no"))


@pytest.fixture(scope="module")
def built(model: Any, rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return mlpack.build(model, rows, name="kinds", output=tmp_path_factory.mktemp("dist"), target="docker")


@pytest.fixture(scope="module")
def bundle(built: Any) -> LoadedBundle:
    return mlpack.load(built.bundle)


def test_a_data_frame_is_answered_with_a_data_frame_of_the_same_index(
    bundle: LoadedBundle, model: Any, rows: pd.DataFrame
) -> None:
    found = bundle.predict(rows)
    assert list(found.columns) == ["label", "probability.no", "probability.yes"] and found.index.equals(rows.index)
    assert found["label"].tolist() == model.predict(rows).tolist()
    np.testing.assert_allclose(found[["probability.no", "probability.yes"]], model.predict_proba(rows), rtol=1e-4)


def test_each_kind_of_frame_is_answered_in_kind(bundle: LoadedBundle, rows: pd.DataFrame) -> None:
    expected = bundle.predict(rows)
    for given in (pl.from_pandas(rows), pa.Table.from_pandas(rows, preserve_index=False)):
        found = bundle.predict(given)
        assert type(found) is type(given)
        assert pd.DataFrame(found.to_pandas()).equals(expected.reset_index(drop=True))
    assert bundle.predict(pl.from_pandas(rows).lazy()).shape == (60, 3)


def test_records_columns_and_files_are_answered_with_arrays(
    bundle: LoadedBundle, rows: pd.DataFrame, tmp_path: Path
) -> None:
    expected = bundle.predict(rows)["label"].tolist()
    rows.to_csv(tmp_path / "rows.csv", index=False)
    for given in (rows.to_dict("records"), rows.to_dict("list"), tmp_path / "rows.csv", str(tmp_path / "rows.csv")):
        found = bundle.predict(given)
        assert found["label"].tolist() == expected and found["probabilities"].shape == (60, 2)


def test_what_a_bundle_says_of_itself(bundle: LoadedBundle, built: Any) -> None:
    assert (bundle.name, bundle.version, bundle.identity) == ("kinds", "1.0.0", built.identity)
    assert [t.name for t in bundle.signature.inputs] == ["kind", "size", "count"]
    assert bundle.report["verdict"] == "equal" and bundle.variants == ("reference",)
    assert "scikit-learn" in {each["name"] for each in bundle.environment["distributions"]}
    assert bundle.latency["graph"][0]["batch"] == 1 and bundle.facts["framework"] == "sklearn"
    assert bundle.verify()["golden"]["CPUExecutionProvider"] > 3
    assert mlpack.inspect(built.bundle)["identity"] == built.identity
    assert mlpack.diff(built.bundle, built.bundle)["same"]
    assert repr(bundle).startswith("<mlpack bundle kinds 1.0.0, sha256:")


def test_a_notebook_shows_verdict_signature_speed_and_identity(bundle: LoadedBundle, built: Any) -> None:
    page = built._repr_html_()
    assert repr(built).startswith(f"<mlpack bundle {built.bundle}, sha256:") and "\n" not in repr(built)
    assert page == bundle._repr_html_()
    assert card_speed({"graph": [{"batch": 1, "p50_ms": "<b>fast"}], "speedup": 3}) == ""
    for shown in ("Computes the same", "<code>kind</code>", "one row in", "classes: no, yes", built.identity):
        assert shown in page


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (pd.DataFrame({"kind": ["a"], "size": [1.0]}), "^the DataFrame lacks the column .count."),
        (pd.DataFrame({"kind": ["a"], "size": ["big"], "count": [1]}), "size"),
        (pd.DataFrame({"kind": ["a"], "size": [pd.Timestamp("2026-01-01")], "count": [1]}), "'size' holds dates"),
        (object(), "the rows is a object"),
        (3, "the rows is a int"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns have the name 'a'"),
        (np.array([[1, None]], object), "an array of Python objects"),
        ({"kind": ["a", "b"], "size": [1.0], "count": [2]}, "different length"),
        ([], "the rows is a list"),
        (pd.DataFrame({"kind": ["a"], "size": [1j], "count": [1]}), "complex"),
        (pd.DataFrame(index=range(3)), "it has no columns"),
        (pd.DataFrame({"kind": ["a"]}).groupby("kind"), "the rows is a pandas.DataFrameGroupBy"),
        (pd.Timestamp(0), "the rows is a pandas.Timestamp"),
        (pa.array([1]), "the rows is a pyarrow.Int64Array"),
        (pl.col("a"), "the rows is a polars.Expr"),
        (pl.LazyFrame({"kind": ["a"]}).select("size"), "unable to find column"),
        ({"count": np.ma.masked_array([1, 2], [False, True])}, "masked array of int64"),
        (memoryview(np.zeros((2, 2))), "the rows .memoryview. cannot be written"),
    ],
)
def test_rows_that_it_does_not_take_are_one_sentence(bundle: LoadedBundle, given: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        bundle.predict(given)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 2


@pytest.mark.parametrize("kind", [">f8", "longdouble", "float64"])
def test_numbers_of_any_width_are_answered_alike(bundle: LoadedBundle, rows: pd.DataFrame, kind: str) -> None:
    odd = rows.assign(size=rows["size"].astype(kind), count=rows["count"].astype(">i4"))
    pd.testing.assert_frame_equal(bundle.predict(odd), bundle.predict(rows))
    records = [
        {**row, "size": np.float64(row["size"]), "count": np.int32(row["count"])} for row in odd.to_dict("records")
    ]
    assert np.array_equal(bundle.predict(records)["label"], bundle.predict(rows)["label"])


def test_a_masked_cell_is_a_missing_one(tmp_path: Path) -> None:
    hidden = np.ma.masked_array([[1.0, 2.0]], [[False, True]])
    assert np.isnan(np.load(write_rows(hidden, tmp_path / "array"))[0]).tolist() == [False, True]
    assert np.isnan(np.load(write_rows({"a": hidden}, tmp_path / "dict"))["a"][0, 1])
    (missing,) = json.loads(write_rows([{"a": float("nan")}], tmp_path / "records").read_text("utf-8"))
    assert missing == {"a": None}


@pytest.mark.parametrize("kind", ["dok", "lil", "coo", "csr"])
def test_every_format_of_sparse_matrices_is_written(kind: str, tmp_path: Path) -> None:
    matrix = csr_matrix(np.eye(3)).asformat(kind)
    assert np.array_equal(load_npz(write_rows(matrix, tmp_path / "rows")).toarray(), np.eye(3))


def test_a_changed_bundle_answers_nothing(bundle: LoadedBundle, rows: pd.DataFrame, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(bundle.path, tmp_path / "copy"))
    graph = copy / "model" / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    with pytest.raises(DamagedError):
        mlpack.load(copy).predict(rows)


MATRIX = load_iris().data
BOOSTERS = ("xgboost", "lightgbm", "catboost")


def fitted(kind: str) -> tuple[Any, Any]:
    """A model in memory and rows that it takes."""
    target = MATRIX[:, 0]
    if kind == "texts":
        texts = ["a cat", "a dog", "the cat", "dog dog"] * 5
        return make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, [0, 1] * 10), texts
    if kind == "sparse":
        return LinearRegression().fit(csr_matrix(MATRIX), target), csr_matrix(MATRIX)
    if kind == "xgboost":
        import xgboost

        return xgboost.train({"max_depth": 2}, xgboost.DMatrix(MATRIX, target), 3), MATRIX
    if kind == "lightgbm":
        import lightgbm

        return lightgbm.train({"verbose": -1}, lightgbm.Dataset(MATRIX, target), 3), MATRIX
    if kind == "catboost":
        import catboost

        return catboost.CatBoostRegressor(iterations=3, verbose=0, allow_writing_files=False).fit(
            MATRIX, target
        ), MATRIX
    import onnx
    from onnx.parser import parse_model

    text = '<ir_version: 9, opset_import: ["" : 20]> g (float[N,4] x) => (float[N,4] y) { y = Relu(x) }'
    assert isinstance(parse_model(text), onnx.ModelProto)
    return parse_model(text), {"x": MATRIX.astype(np.float32)}


@pytest.mark.parametrize("kind", ["texts", "sparse", *BOOSTERS, "onnx"])
def test_every_framework_hands_its_object_over(kind: str, tmp_path: Path) -> None:
    model, rows = fitted(kind)
    built = mlpack.build(model, rows, name=kind, output=tmp_path, target="docker")
    assert built.verification.equal
    answers = mlpack.load(built.bundle).predict(rows)
    expected = np.maximum(MATRIX, 0) if kind == "onnx" else None
    if kind in ("sparse", "catboost", "texts"):
        expected = model.predict(rows)
    if expected is not None:
        found = next(iter(answers.values())) if isinstance(answers, dict) else answers["label"]
        np.testing.assert_allclose(np.asarray(found).reshape(expected.shape), expected, rtol=1e-5)


def test_a_missing_example_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"example is missing: mlpack_toolkit\.build\(model, example\)"):
        mlpack.build(LinearRegression().fit(MATRIX, MATRIX[:, 0]), output=tmp_path)
    with pytest.raises(UsageError, match="there is no model file"):
        mlpack.build(tmp_path / "nothere", output=tmp_path)


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (lambda x: x, {}, "the model"),
        ({"a": 1}, {}, "dict"),
        (LinearRegression(), {"nonsense": 1}, "build has no option 'nonsense'"),
        (LinearRegression(), {"target": "cobol"}, "there is no target 'cobol'"),
    ],
)
def test_what_cannot_be_built_is_one_sentence(model: Any, options: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(mlpack.MlpackError, match=said) as caught:
        mlpack.build(model, MATRIX, output=tmp_path / "dist", **options)
    assert "\n" not in str(caught.value) and not (tmp_path / "dist").exists()


PROGRAM = """
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import mlpack_toolkit as mlpack

SCALE = 2.5
LOST = np.ones(3)

def shifted(x):
    return x * SCALE

def transform(x):
    return np.log1p(np.abs(shifted(x)))

def reads(x):
    return x + LOST

x = np.random.default_rng(0).normal(size=(40, 3))
def made(step):
    return make_pipeline(FunctionTransformer(step), LinearRegression()).fit(x, x[:, 0])

for step, code in ((transform, ()), (reads, "auto"), (lambda x: x * 2, "auto")):
    try:
        mlpack.build(made(step), x, output="out", code=code)
    except mlpack.MlpackError as error:
        print("REFUSED", error)
model = made(transform)
built = mlpack.build(model, x, output="out", name="own", code="auto", target="docker")
same = np.allclose(np.ravel(mlpack.load(built.bundle).predict(x)["prediction"]), model.predict(x), 1e-4, 1e-5)
print("BUILT", built.bundle, same, transform.__module__)
"""


def test_functions_of_the_program_become_a_module_of_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    first, second, third, last = done.stdout.splitlines()
    assert "uses transform of this program" in first and "code='auto'" in first
    assert "reads the variable LOST, a ndarray of this program" in second
    assert "<lambda>, a function without a name" in third
    assert last == "BUILT out/own-1.0.0 True __main__"
    own = (tmp_path / "out/own-1.0.0/model/code/notebook_code.py").read_text()
    assert (
        "SCALE = 2.5" in own and "import numpy as np" in own and own.index("def shifted") < own.index("def transform")
    )
    assert own in done.stderr
    assert mlpack.load(tmp_path / "out/own-1.0.0").verify()["golden"]


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = ("numpy", "onnxruntime", "pyarrow", "click")
    command = f"import sys, mlpack_toolkit; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
