"""Whole builds, one for each kind of file and of model: what `mlpack predict` then says is what the original says."""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlpack_toolkit.packager.built import Built
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.errors import ConversionError, ModelError, UntrustedError
from tests.make import build_model, save


def _numbers(rows: int = 200, width: int = 3) -> Any:
    return np.random.default_rng(0).normal(size=(rows, width))


def _frame(rows: int = 200) -> pd.DataFrame:
    x = pd.DataFrame(_numbers(rows), columns=["first", "the second", "Größe"])
    x.loc[::7, "first"] = np.nan
    return x


def _target(x: Any) -> Any:
    values = np.nan_to_num(np.asarray(x)[:, :3].astype(float))
    return values[:, 0] + 2 * values[:, 1] - values[:, 2] ** 2


def _labels(x: Any) -> Any:
    return np.where(_target(x) > 0, "yes", "no")


def _write(rows: Any, folder: Path) -> Path:
    if isinstance(rows, pd.DataFrame):
        rows.to_parquet(folder / "rows.parquet")
        return folder / "rows.parquet"
    np.save(folder / "rows.npy", rows)
    return folder / "rows.npy"


def _answers(built: Built, rows: Path) -> pd.DataFrame:
    out = built.bundle.parent / "answers.parquet"
    predict(built.bundle, rows, out)
    return pd.read_parquet(out)


def _assert_classifies(built: Built, rows: Path, labels: Any, probabilities: Any) -> None:
    got = _answers(built, rows)
    assert list(got["label"]) == list(np.asarray(labels).ravel())
    names = [f"probability.{c}" for c in built.signature.classes]
    np.testing.assert_allclose(got[names].to_numpy(), probabilities, rtol=1e-4, atol=1e-6)


def _assert_predicts(built: Built, rows: Path, values: Any) -> None:
    np.testing.assert_allclose(_answers(built, rows)["prediction"], np.ravel(values), rtol=1e-4, atol=1e-5)


def _logistic(folder: Path) -> tuple[Any, Any, Path]:
    from sklearn.linear_model import LogisticRegression

    x = _numbers()
    return LogisticRegression().fit(x, _labels(x)), x, _write(x, folder)


def _dump_pickle(protocol: int) -> Callable[[Any, Path], None]:
    return lambda model, path: path.write_bytes(pickle.dumps(model, protocol)) and None


def _dump_joblib(compress: Any) -> Callable[[Any, Path], None]:
    def dump(model: Any, path: Path) -> None:
        import joblib

        joblib.dump(model, path, compress=compress)

    return dump


def _dump_skops(model: Any, path: Path) -> None:
    import skops.io

    skops.io.dump(model, path)


FILES: dict[str, tuple[str, Callable[[Any, Path], None]]] = {
    "pickle 2": ("model.pkl", _dump_pickle(2)),
    "pickle 5": ("model.pickle", _dump_pickle(5)),
    "joblib": ("model.joblib", _dump_joblib(0)),
    "joblib zlib": ("model.joblib", _dump_joblib(("zlib", 3))),
    "joblib gzip": ("model.joblib.gz", _dump_joblib(("gzip", 3))),
    "joblib xz": ("model.joblib.xz", _dump_joblib(("xz", 3))),
    "skops": ("model.skops", _dump_skops),
    "a name without a suffix": ("model", _dump_pickle(4)),
}


@pytest.mark.parametrize("kind", FILES)
def test_files_of_a_pipeline(kind: str, tmp_path: Path) -> None:
    model, x, rows = _logistic(tmp_path)
    name, dump = FILES[kind]
    dump(model, tmp_path / name)
    built = build_model(tmp_path / name, rows, tmp_path / "dist")
    _assert_classifies(built, rows, model.predict(x), model.predict_proba(x))
    assert (built.bundle / "model" / "source" / name).read_bytes() == (tmp_path / name).read_bytes()


@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_xgboost_files(suffix: str, tmp_path: Path) -> None:
    import xgboost

    x = _frame()
    model = xgboost.XGBClassifier(n_estimators=8, max_depth=3).fit(x, (_target(x) > 0).astype(int))
    model.save_model(tmp_path / f"model.{suffix}")
    rows = _write(x, tmp_path)
    built = build_model(tmp_path / f"model.{suffix}", rows, tmp_path / "dist")
    assert [t.name for t in built.signature.inputs] == list(x.columns)
    _assert_classifies(built, rows, model.predict(x), model.predict_proba(x))


def test_an_xgboost_booster_of_its_own(tmp_path: Path) -> None:
    import xgboost

    x = _numbers()
    booster = xgboost.train({"objective": "reg:squarederror", "max_depth": 3}, xgboost.DMatrix(x, _target(x)), 8)
    booster.save_model(tmp_path / "model.ubj")
    rows = _write(x, tmp_path)
    built = build_model(tmp_path / "model.ubj", rows, tmp_path / "dist")
    _assert_predicts(built, rows, booster.predict(xgboost.DMatrix(x)))


def _with_categories(rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    x = pd.DataFrame({"size": rng.normal(size=rows)})
    x["colour"] = pd.Categorical(rng.choice(["red", "grün", "😀"], rows), categories=["red", "grün", "😀", "never"])
    x["code"] = pd.Categorical(rng.choice([3, 10, 2000], rows))
    x.loc[::11, "colour"] = np.nan
    x.loc[::13, "code"] = np.nan
    x.loc[::17, "size"] = np.nan
    return x


def _from_categories(x: pd.DataFrame) -> Any:
    return x["size"].fillna(0) + (x["colour"] == "grün") * 2.0 - (x["code"].astype(float) == 10) * 1.5


def test_a_lightgbm_model_takes_the_columns_that_lightgbm_has_renamed(tmp_path: Path) -> None:
    import lightgbm

    x = _frame()
    model = lightgbm.LGBMRegressor(n_estimators=8, verbose=-1).fit(x, _target(x))
    model.booster_.save_model(tmp_path / "model.txt")
    rows = _write(x, tmp_path)
    built = build_model(tmp_path / "model.txt", rows, tmp_path / "dist")
    assert [t.name for t in built.signature.inputs] == list(x)
    _assert_predicts(built, rows, model.predict(x))


def test_a_lightgbm_file_with_categories(tmp_path: Path) -> None:
    import lightgbm

    x = _with_categories()
    data = lightgbm.Dataset(x, (_from_categories(x) > 0.5).astype(int))
    booster = lightgbm.train({"objective": "binary", "verbose": -1, "min_data_in_leaf": 5}, data, 8)
    booster.save_model(tmp_path / "model.txt")
    rows = _write(x, tmp_path)
    built = build_model(tmp_path / "model.txt", rows, tmp_path / "dist")
    got = _answers(built, rows)
    np.testing.assert_allclose(got["probability.1"], booster.predict(x), rtol=1e-4, atol=1e-6)


def _catboost(folder: Path, categories: list[str]) -> tuple[Any, Any]:
    from catboost import CatBoostClassifier

    x = _with_categories().astype({"colour": object, "code": object})
    x["colour"], x["code"] = x["colour"].fillna("none"), x["code"].fillna(0).astype(int)
    x = x[["size", *categories]]
    y = (x["size"].fillna(0) + (x[categories[0]].isin(["grün", 10])) * 2 > 0.5).astype(int)
    model = CatBoostClassifier(iterations=8, depth=3, one_hot_max_size=10, cat_features=categories)
    model.set_params(verbose=0, allow_writing_files=False).fit(x, y)
    model.save_model(str(folder / "model.cbm"))
    return model, x


@pytest.mark.parametrize("categories", [["code"], ["colour"], ["colour", "code"]])
def test_a_catboost_file(categories: list[str], tmp_path: Path) -> None:
    model, x = _catboost(tmp_path, categories)
    rows = _write(x, tmp_path)
    built = build_model(tmp_path / "model.cbm", rows, tmp_path / "dist")
    _assert_classifies(built, rows, model.predict(x), model.predict_proba(x))


def test_a_catboost_file_whose_example_lacks_a_category_is_refused(tmp_path: Path) -> None:
    _, x = _catboost(tmp_path, ["colour"])
    with pytest.raises(ConversionError, match=r"lacks 1 of the \d categories that the model knows in column 'colour'"):
        build_model(tmp_path / "model.cbm", _write(x[x["colour"] != "grün"], tmp_path), tmp_path / "dist")


BOOSTERS = ("lightgbm", "xgboost", "histogram")


def _booster(kind: str) -> Any:
    if kind == "lightgbm":
        import lightgbm

        return lightgbm.LGBMClassifier(n_estimators=8, min_child_samples=5, verbose=-1)
    if kind == "xgboost":
        import xgboost

        return xgboost.XGBClassifier(n_estimators=8, max_depth=4, enable_categorical=True)
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=8, categorical_features="from_dtype")


@pytest.mark.parametrize("kind", BOOSTERS)
def test_frames_with_categories(kind: str, tmp_path: Path) -> None:
    x = _with_categories()
    if kind == "xgboost":  # whose files cut names beyond ASCII: see the next test
        x["colour"] = x["colour"].cat.rename_categories({"grün": "green", "😀": "smile"})
    model = _booster(kind).fit(x, (_from_categories(x) > 0.5).astype(int))
    path, rows = save(model, x, tmp_path)
    built = build_model(path, rows, tmp_path / "dist")
    _assert_classifies(built, rows, model.predict(x), model.predict_proba(x))


def test_xgboost_with_categories_beyond_ascii_is_refused(tmp_path: Path) -> None:
    x = _with_categories()
    path, rows = save(_booster("xgboost").fit(x, (_from_categories(x) > 0.5).astype(int)), x, tmp_path)
    with pytest.raises(ConversionError, match="non-ASCII category names"):
        build_model(path, rows, tmp_path / "dist")


@pytest.mark.parametrize("kind", BOOSTERS)
def test_integer_columns_that_may_be_missing(kind: str, tmp_path: Path) -> None:
    x = pd.DataFrame({"count": pd.array([1, 2, None, 4] * 30, dtype="Int64"), "size": np.linspace(-1, 1, 120)})
    model = _booster(kind).fit(x, (x["count"].fillna(0) > 1).astype(int).to_numpy())
    path, rows = save(model, x, tmp_path)
    built = build_model(path, rows, tmp_path / "dist")
    _assert_classifies(built, rows, model.predict(x), model.predict_proba(x))


def _columns() -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    known = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["size"]),
            ("texts", OneHotEncoder(handle_unknown="ignore"), ["colour"]),
            ("codes", known, ["code"]),
        ]
    )


def _mixed(rows: int = 300) -> pd.DataFrame:
    x = _with_categories(rows)
    return x.assign(colour=x["colour"].astype(object), code=x["code"].astype(float).fillna(-1).astype(int))


def _pipelines() -> dict[str, Any]:
    import lightgbm
    import xgboost
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline

    trees = RandomForestClassifier(10, max_depth=4, random_state=0)
    linear = LogisticRegression()
    both = [("linear", linear), ("trees", trees)]
    return {
        "columns": linear,
        "grid search": GridSearchCV(linear, {"C": [0.1, 1.0]}, cv=2),
        "stacking": StackingClassifier(both, cv=2),
        "voting": VotingClassifier(both, voting="soft"),
        "calibrated": CalibratedClassifierCV(trees, cv=2),
        "xgboost": xgboost.XGBClassifier(n_estimators=8, max_depth=3),
        "lightgbm": lightgbm.LGBMClassifier(n_estimators=8, verbose=-1),
        "nested": make_pipeline(GridSearchCV(xgboost.XGBClassifier(n_estimators=4), {"max_depth": [2, 3]}, cv=2)),
    }


@pytest.mark.parametrize(
    "last", ["columns", "grid search", "stacking", "voting", "calibrated", "xgboost", "lightgbm", "nested"]
)
def test_pipelines_of_mixed_columns(last: str, tmp_path: Path) -> None:
    from sklearn.pipeline import make_pipeline

    x = _mixed()
    model = make_pipeline(_columns(), _pipelines()[last]).fit(x, (_from_categories(x) > 0.5).astype(int))
    path, rows = save(model, x, tmp_path)
    built = build_model(path, rows, tmp_path / "dist")
    _assert_classifies(built, rows, model.predict(x), model.predict_proba(x))
    _assert_csv_says_the_same(built, x, tmp_path)


def _assert_csv_says_the_same(built: Built, x: pd.DataFrame, folder: Path) -> None:
    before = _answers(built, folder / "model.parquet")
    x.to_csv(folder / "rows.csv", index=False)
    pd.testing.assert_frame_equal(before, _answers(built, folder / "rows.csv"))


def test_a_search_over_a_whole_pipeline(tmp_path: Path) -> None:
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline

    x = _mixed()
    steps = Pipeline([("columns", _columns()), ("ridge", Ridge())])
    model = GridSearchCV(steps, {"ridge__alpha": [0.1, 1.0]}, cv=2).fit(x, _from_categories(x))
    path, rows = save(model, x, tmp_path)
    _assert_predicts(build_model(path, rows, tmp_path / "dist"), rows, model.predict(x))


def test_a_text_model(tmp_path: Path) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts = ["good film", "bad film", "GOOD story, well told", "bad, bad acting", "naïve café 😀 good"] * 4
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, ["good" in t.lower() for t in texts])
    path, rows = save(model, texts, tmp_path)
    built = build_model(path, rows, tmp_path / "dist")
    assert [(t.name, t.dtype) for t in built.signature.inputs] == [("text", "string")]
    _assert_classifies(built, rows, model.predict(texts), model.predict_proba(texts))


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_precision_that_was_asked_for(precision: str, tmp_path: Path) -> None:
    model, x, rows = _logistic(tmp_path)
    path, _ = save(model, x, tmp_path)
    built = build_model(path, rows, tmp_path / "dist", precision=precision)
    assert built.verification.precision == precision
    assert {t.dtype for t in built.signature.inputs} == {precision}
    _assert_classifies(built, rows, model.predict(x), model.predict_proba(x))


def test_the_interpreter_that_was_asked_for(tmp_path: Path) -> None:
    """Reached by another path, with a folder of modules in the way that are called like mlpack's own."""
    model, x, rows = _logistic(tmp_path)
    path, _ = save(model, x, tmp_path)
    prefix, link = Path(sys.prefix), tmp_path / "environment"
    os.symlink(prefix, link)
    for name in ("converters", "templates", "runtimes", "packager"):
        (tmp_path / "mine" / f"{name}.py").parent.mkdir(exist_ok=True)
        (tmp_path / "mine" / f"{name}.py").write_text("raise RuntimeError('this is the user\\'s own')")
    python = str(link / "bin" / "python")
    built = build_model(path, rows, tmp_path / "dist", python=python, code=(tmp_path / "mine",))
    _assert_classifies(built, rows, model.predict(x), model.predict_proba(x))
    assert (built.bundle / "model" / "code" / "converters.py").is_file()


def test_a_module_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class of the user's needs `--code` to be loaded, and has no converter then."""
    (tmp_path / "mine").mkdir()
    source = "from sklearn.linear_model import LogisticRegression\nclass Mine(LogisticRegression):\n    pass\n"
    (tmp_path / "mine" / "my_models.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path / "mine"))
    import my_models  # type: ignore[import-not-found]

    x = _numbers()
    path, rows = save(my_models.Mine().fit(x, _labels(x)), x, tmp_path)
    with pytest.raises(UntrustedError, match=r"my_models\.Mine"):
        build_model(path, rows, tmp_path / "dist")
    with pytest.raises(ModelError, match=r"my_models.*--code"):
        build_model(path, rows, tmp_path / "dist", allow=("my_models.Mine",))
    with pytest.raises(ConversionError, match=r"my_models\.Mine"):
        build_model(path, rows, tmp_path / "dist", code=(tmp_path / "mine",))


def _graph(weights: Any) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    x = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 3])
    y = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch", 2])
    nodes = [helper.make_node("MatMul", ["features", "weights"], ["score"])]
    initial = [numpy_helper.from_array(weights, "weights")]
    graph = helper.make_graph(nodes, "linear", [x], [y], initial)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def onnx_folder(tmp_path: Path) -> tuple[Path, Any, Path]:
    """A folder with rows for `_graph`, the rows, and the weights."""
    weights = np.arange(6, dtype=np.float32).reshape(3, 2)
    rows = _numbers(20).astype(np.float32)
    np.savez(tmp_path / "rows.npz", features=rows)
    return tmp_path, rows @ weights, tmp_path / "rows.npz"


def _assert_scores(built: Built, rows: Path, want: Any) -> None:
    got = _answers(built, rows)
    assert list(got) == ["score.0", "score.1"]
    np.testing.assert_allclose(got.to_numpy(), want, rtol=1e-5, atol=1e-6)


def test_an_onnx_file_of_ones_own(onnx_folder: tuple[Path, Any, Path]) -> None:
    import onnx

    folder, want, rows = onnx_folder
    onnx.save(_graph(np.arange(6, dtype=np.float32).reshape(3, 2)), folder / "own.onnx")
    built = build_model(folder / "own.onnx", rows, folder / "dist")
    assert built.signature.task == "graph"
    _assert_scores(built, rows, want)


def _save_external(folder: Path, location: str) -> Path:
    import onnx

    model = _graph(np.arange(6, dtype=np.float32).reshape(3, 2))
    onnx.save(model, folder / "own.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    if location != "weights.bin":
        raw = onnx.load(folder / "own.onnx", load_external_data=False)
        raw.graph.initializer[0].external_data[0].value = location
        (folder / "own.onnx").write_bytes(raw.SerializeToString())
    return folder / "own.onnx"


def test_external_data_beside_the_file_ends_up_inside(onnx_folder: tuple[Path, Any, Path]) -> None:
    import onnx

    folder, want, rows = onnx_folder
    path = _save_external(folder, "weights.bin")
    built = build_model(path, rows, folder / "dist")
    shipped = onnx.load(built.bundle / "model" / "model.onnx", load_external_data=False)
    assert not shipped.graph.initializer[0].external_data
    assert (built.bundle / "model" / "source" / "weights.bin").is_file()
    _assert_scores(built, rows, want)


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "link.bin"])
def test_external_data_elsewhere_is_refused(location: str, onnx_folder: tuple[Path, Any, Path]) -> None:
    folder, _, rows = onnx_folder
    (folder / "inner").mkdir()
    path = _save_external(folder / "inner", location)
    os.rename(folder / "inner" / "weights.bin", folder / "weights.bin")
    os.symlink(folder / "weights.bin", folder / "inner" / "link.bin")
    with pytest.raises(UntrustedError, match="leaves the model's folder"):
        build_model(path, rows, folder / "dist")
    assert not (folder / "dist").exists()


def test_what_a_bundle_holds(tmp_path: Path) -> None:
    model, x, rows = _logistic(tmp_path)
    path, _ = save(model, x, tmp_path)
    bundle = build_model(path, rows, tmp_path / "dist", targets=None).bundle
    for name in (
        "manifest.json",
        "sbom.cdx.json",
        "model/model.onnx",
        "evidence/report.html",
        "evidence/measurements/latency.json",
    ):
        assert (bundle / name).is_file(), name
    environment = json.loads((bundle / "environment/python/environment.json").read_text())
    installed = {d["name"].lower(): d["version"] for d in environment["distributions"]}
    assert installed["scikit-learn"] == __import__("sklearn").__version__
    assert environment["interpreter"]["version"] == sys.version.split()[0] and environment["libc"]
    report = json.loads((bundle / "reports" / "verification.json").read_text())
    assert report["mismatches"] == 0 and {"example", "missing", "large"} <= set(report["probes"]) | set(
        report["refused"]
    )
    cases = sorted((bundle / "golden").glob("*.request.json"))
    assert 6 <= len(cases) <= 24
    probes = {json.loads(c.read_bytes())["parameters"]["probe"] for c in cases}
    assert {"example", "batch of 0", "batch of 1"} <= probes


def test_a_null_in_a_text_column_that_never_had_one(penguins: Path, tmp_path: Path) -> None:
    """The bundle says which text stands for it: the empty one here, U+FFFF where the model knows missing cells."""
    import joblib

    rows = pd.read_parquet(penguins / "penguins.parquet").head(40)
    rows["island"] = rows["island"].astype(object).where(np.arange(40) % 2 == 0, None)
    rows.to_parquet(tmp_path / "rows.parquet")
    bundle = penguins / "dist" / "penguins-1.0.0"
    missing = {t.name: t.missing for t in open_bundle(bundle).signature.inputs if t.is_text}
    assert missing == {"island": "", "sex": "\uffff"}
    predict(bundle, tmp_path / "rows.parquet", tmp_path / "answers.parquet")
    want = joblib.load(penguins / "penguins.joblib").predict_proba(rows)
    got = pd.read_parquet(tmp_path / "answers.parquet").drop(columns="label").to_numpy()
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-10)


def test_a_boolean_column_whose_values_the_model_knows(tmp_path: Path) -> None:
    """Such a column is probed twice with its values: once as the model's, once as all that a boolean can be."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    x = pd.DataFrame({"member": [True, False, True, True] * 20, "paid": [False, False, True, False] * 20})
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(x, x["member"] ^ x["paid"])
    model_file, example = save(model, x, tmp_path)
    answers = _answers(build_model(model_file, example, tmp_path / "dist"), example)
    assert answers["label"].tolist() == model.predict(x).tolist()
