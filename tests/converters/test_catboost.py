"""CatBoost models held against their graphs, at borders and beside them, with every link and kind of label."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlpack_toolkit.converters import for_object
from mlpack_toolkit.converters.catboost.reader import integers_behind, parse
from mlpack_toolkit.converters.spec import Unreadable, Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.files import for_file

catboost = pytest.importorskip("catboost")
FORMS = ("float32", "float64")
RNG = np.random.default_rng(7)
ROWS = 400
KEY = (np.arange(ROWS) % 3).astype(np.int64)


def fit(kind: str, y: Any, x: Any = None, **options: Any) -> Any:
    options = {"iterations": 25, "depth": 4, "verbose": 0, "allow_writing_files": False, "thread_count": 1, **options}
    fitted = {k: options.pop(k) for k in ("group_id", "eval_set", "cat_features") if k in options}
    return getattr(catboost, kind)(**options).fit(matrix() if x is None else x, y, **fitted)


def matrix(missing: float = 0.1) -> Any:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(ROWS, 4))
    x[rng.random(x.shape) < missing] = np.nan
    return x


def hard_rows(model: Any) -> Any:
    """Every border in each column, its neighbours in both widths, midpoints that a cast moves, NaN and the extremes."""
    description = for_object(model).original.describe(model)  # type: ignore[union-attr]
    base = matrix()[:50]
    rows = [base]
    for column, feature in enumerate(description.features):
        border = np.array(feature.thresholds)
        narrow = border.astype(np.float32)
        with np.errstate(over="ignore"):
            above = np.nextafter(narrow, np.float32(np.inf)).astype(float)
            below = np.nextafter(narrow, np.float32(-np.inf)).astype(float)
        cells = [border, np.nextafter(border, np.inf), np.nextafter(border, -np.inf), above, below]
        cells += [border / 2 + above / 2, np.nextafter(border / 2 + above / 2, np.inf)]
        cells += [np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e300, -1e300, 3e38, -3e38])]
        values = np.concatenate(cells)
        block = base[np.arange(len(values)) % len(base)].copy()
        block[:, column] = values
        rows.append(block)
    return np.concatenate(rows)


def hold(model: Any, x: Any, real: str) -> None:
    """Answers alike on `x`, on one row and on none; the float32 form is fed what a float32 can hold."""
    if real == "float32" and isinstance(x, np.ndarray):
        with np.errstate(over="ignore"):
            x = x.astype(np.float32).astype(float)
    assert_same(model, x, real)
    assert_same(model, x[:1], real)
    assert_same(model, x[:0], real)


X0 = np.nan_to_num(matrix()[:, 0])
LABELS = {
    "int": (X0 > 0).astype(int),
    "5 and 9": np.where(X0 > 0, 9, 5),
    "bool": X0 > 0,
    "text of bool": np.where(X0 > 0, "True", "False"),
    "text": np.where(X0 > 0, "ÿes", "no"),
    "float": np.where(X0 > 0, 1.5, 0.5),
    "three ints": np.digitize(X0, [-0.5, 0.5]) + 3,
    "three texts": np.array(["a", "b", "ç"])[np.digitize(X0, [-0.5, 0.5])],
    "three floats": np.array([0.5, 1.5, 3])[np.digitize(X0, [-0.5, 0.5])],
}


@pytest.mark.parametrize("real", FORMS)
@pytest.mark.parametrize("labels", LABELS)
def test_labels_of_every_kind(labels: str, real: str) -> None:
    model = fit("CatBoostClassifier", LABELS[labels])
    hold(model, hard_rows(model), real)


CLASSIFIERS: dict[str, dict[str, Any]] = {
    "one against all": {"y": KEY, "loss_function": "MultiClassOneVsAll"},
    "cross entropy": {"y": 1 / (1 + np.exp(-X0)), "loss_function": "CrossEntropy"},
    "depthwise": {"y": KEY, "grow_policy": "Depthwise"},
    "lossguide": {"y": X0 > 0.3, "grow_policy": "Lossguide", "max_leaves": 9},
    "nan as max": {"y": X0 > 0.3, "nan_mode": "Max"},
    "plain": {"y": X0 > 0.3, "boosting_type": "Plain", "bootstrap_type": "No", "model_size_reg": 0},
    "depth 1": {"y": X0 > 0.3, "depth": 1},
    "focal": {"y": X0 > 0.3, "loss_function": "Focal:focal_alpha=0.3;focal_gamma=1"},
}


@pytest.mark.parametrize("real", FORMS)
@pytest.mark.parametrize("case", CLASSIFIERS)
def test_classifiers(case: str, real: str) -> None:
    options = dict(CLASSIFIERS[case])
    model = fit("CatBoostClassifier", options.pop("y"), **options)
    hold(model, hard_rows(model), real)


POSITIVE = np.exp(X0 / 2) + 0.1
PAIR = np.stack([POSITIVE, X0 * 3], 1)
REGRESSORS: dict[str, dict[str, Any]] = {
    "RMSE": {},
    "far bias": {"y": X0 + 1e6},
    "MAE": {"loss_function": "MAE"},
    "Quantile": {"loss_function": "Quantile:alpha=0.2"},
    "MultiQuantile": {"loss_function": "MultiQuantile:alpha=0.1,0.5,0.9"},
    "LogLinQuantile": {"loss_function": "LogLinQuantile"},
    "Huber": {"loss_function": "Huber:delta=1"},
    "Poisson": {"loss_function": "Poisson"},
    "Tweedie": {"loss_function": "Tweedie:variance_power=1.5"},
    "RMSEWithUncertainty": {"loss_function": "RMSEWithUncertainty"},
    "MultiRMSE": {"y": PAIR, "loss_function": "MultiRMSE"},
    "MultiRMSE lossguide": {"y": PAIR, "loss_function": "MultiRMSE", "grow_policy": "Lossguide"},
    "SurvivalAft": {"y": np.stack([POSITIVE, POSITIVE + 1], 1), "loss_function": "SurvivalAft:dist=Normal"},
    "Cox": {"loss_function": "Cox"},
    "Depthwise": {"grow_policy": "Depthwise", "min_data_in_leaf": 5},
    "nan as max": {"nan_mode": "Max"},
    "one constant tree": {"y": POSITIVE, "iterations": 1, "min_data_in_leaf": 10_000, "grow_policy": "Depthwise"},
    "early stopping": {
        "eval_set": (matrix()[::-1], POSITIVE),
        "use_best_model": True,
        "od_wait": 3,
        "iterations": 60,
        "learning_rate": 0.8,
    },
}


@pytest.mark.parametrize("real", FORMS)
@pytest.mark.parametrize("case", REGRESSORS)
def test_regressors(case: str, real: str) -> None:
    options = dict(REGRESSORS[case])
    model = fit("CatBoostRegressor", options.pop("y", POSITIVE), **options)
    if case == "early stopping":
        assert model.tree_count_ < 60
    hold(model, hard_rows(model), real)


@pytest.mark.parametrize("real", FORMS)
@pytest.mark.parametrize("loss", ["YetiRank", "QueryRMSE", "PairLogit"])
def test_rankers(loss: str, real: str) -> None:
    options = {"loss_function": loss, "group_id": np.repeat(np.arange(40), 10)}
    model = fit("CatBoostRanker", np.digitize(X0, [-0.5, 0.5]), **options)
    hold(model, hard_rows(model), real)


@pytest.mark.parametrize("real", FORMS)
def test_the_plain_class_answers_raw_scores(real: str) -> None:
    params = {"loss_function": "MultiClass", "iterations": 9, "verbose": 0, "allow_writing_files": False}
    model = catboost.CatBoost(params).fit(matrix(), KEY)
    hold(model, hard_rows(model), real)
    assert answers(model, matrix(), real)[0]["prediction"].shape == (ROWS, 3)


@pytest.mark.parametrize("cut", [0.0, 0.2, 0.7, 1.0])
def test_the_threshold_of_a_class_and_a_scale(cut: float) -> None:
    model = fit("CatBoostClassifier", X0 + RNG.normal(size=ROWS) > 0)
    before = answers(model, matrix(), "float64")[0]["label"]
    model.set_scale_and_bias(1.5, 0.25)
    model.set_probability_threshold(cut)
    hold(model, hard_rows(model), "float64")
    assert (answers(model, matrix(), "float64")[1]["label"] != before).any()


def frame(rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "größe": rng.normal(size=rows),
            "id": rng.integers(2**60, 2**61, rows),
            "flag": rng.random(rows) > 0.5,
            "unused": np.ones(rows),
        }
    )


@pytest.mark.parametrize("real", FORMS)
def test_named_columns_of_every_number(real: str) -> None:
    x = frame()
    model = fit("CatBoostRegressor", x["größe"] + x["flag"] * 2 + x["id"] / 2**60, x)
    description = for_object(model).original.describe(model)  # type: ignore[union-attr]
    assert description.named and [f.name for f in description.features] == list(x)
    borders = [int(t) for t in description.features[1].thresholds]
    assert borders
    beside = x.iloc[: 3 * len(borders)].copy()
    beside["id"] = np.array([b + step for b in borders for step in (-1, 2**36, 2**37 + 1)], np.int64)
    hold(model, pd.concat([x, beside], ignore_index=True), real)


def categories(rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(6)
    return pd.DataFrame(
        {
            "n": rng.normal(size=rows),
            "code": rng.choice([-7, 0, 12, 4321, 1_999_999], rows),
            "flag": rng.random(rows) > 0.5,
            "many": rng.integers(0, 20, rows),
        }
    )


@pytest.mark.parametrize("real", FORMS)
@pytest.mark.parametrize("policy", ["SymmetricTree", "Lossguide"])
def test_one_hot_integers_and_booleans(policy: str, real: str) -> None:
    x = categories()
    worth = {-7: -1.0, 0: 2.0, 12: 3.0, 4321: 0.7, 1_999_999: -2.5}
    y = x["n"] / 4 + x["code"].map(worth) + x["flag"] + x["many"] % 5 / 4
    options = {"one_hot_max_size": 30, "cat_features": ["code", "flag", "many"], "iterations": 60}
    model = fit("CatBoostRegressor", y, x, grow_policy=policy, **options)
    description = for_object(model).original.describe(model)  # type: ignore[union-attr]
    assert len(description.features[1].values) >= 4 and set(description.features[1].values) <= set(worth)
    strange = x.iloc[:6].assign(code=[1, -1, 2**31, 2**62, -(2**62), 13], many=[99, -1, 2**40, 20, 3, 4])
    hold(model, pd.concat([x, strange], ignore_index=True), real)


def test_hashes_are_those_of_catboost(tmp_path: Path) -> None:
    values = [0, 7, 42, 123, 1000, -1, -999, 54321, 999_999, 1_000_000, -99_999, 1_999_999]
    x = pd.DataFrame({"c": np.resize(values, 480)})
    y = np.searchsorted(np.sort(values), x["c"]).astype(float)
    model = fit("CatBoostRegressor", y, x, cat_features=["c"], one_hot_max_size=50, iterations=80)
    hashes = frozenset(h for _, h in parse(model).one_hot)
    assert len(hashes) > 9
    assert all(set(found) & set(values) for found in integers_behind(hashes).values())


def test_a_category_that_no_tree_asks_for_is_no_hindrance() -> None:
    x = pd.DataFrame({"word": ["same"] * ROWS, "n": X0})
    model = fit("CatBoostRegressor", X0, x, cat_features=["word"])
    assert_same(model, x)


def test_refusals_name_the_reason() -> None:
    several = fit("CatBoostClassifier", np.stack([X0 > 0, X0 > 1], 1).astype(int), loss_function="MultiLogloss")
    with pytest.raises(Unsupported, match="MultiLogloss"):
        answers(several, matrix(), "float64")
    with pytest.raises(Unreadable, match="not fitted"):
        answers(catboost.CatBoostRegressor(), matrix(), "float64")


def test_text_features_are_refused() -> None:
    x = pd.DataFrame({"t": np.where(X0 > 0, "good day to you", "bad night for me"), "n": X0})
    model = catboost.CatBoostClassifier(iterations=5, verbose=0, allow_writing_files=False)
    model.fit(x[["t"]], X0 > 0, text_features=["t"])
    with pytest.raises(Unsupported, match="text features"):
        answers(model, x[["t"]], "float64")


@pytest.mark.parametrize("form", ["cbm", "json"])
@pytest.mark.parametrize(
    ("kind", "loss", "y"),
    [
        ("CatBoostClassifier", "Logloss", LABELS["text"]),
        ("CatBoostClassifier", "MultiClass", LABELS["three texts"]),
        ("CatBoostRegressor", "Poisson", POSITIVE),
        ("CatBoostRegressor", "RMSEWithUncertainty", POSITIVE),
        ("CatBoostRanker", "YetiRank", KEY),
    ],
)
def test_files_give_the_model_that_was_saved(kind: str, loss: str, y: Any, form: str, tmp_path: Path) -> None:
    groups = {"group_id": np.repeat(np.arange(40), 10)} if kind == "CatBoostRanker" else {}
    model = fit(kind, y, loss_function=loss, **groups)
    path = tmp_path / f"m.{form}"
    model.save_model(str(path), format=form)
    converter = for_file(path)
    assert converter is not None and converter.name == "catboost" and converter.source.load is not None
    loaded = converter.source.load(path, {})
    assert type(loaded).__name__ == kind
    got, want = loaded.predict(matrix()), model.predict(matrix())
    if form == "cbm" or want.dtype.kind != "f":
        np.testing.assert_array_equal(got, want)
    else:  # CatBoost's JSON keeps 16 digits of a leaf
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-15)
    assert_same(loaded, hard_rows(loaded))


def test_other_json_is_not_ours_and_a_broken_file_is_named(tmp_path: Path) -> None:
    other, broken = tmp_path / "a.json", tmp_path / "b.cbm"
    other.write_text('{"learner": {}}')
    broken.write_bytes(b"CBM1" + b"\0" * 20)
    assert for_file(other) is None or for_file(other).name != "catboost"  # type: ignore[union-attr]
    with pytest.raises(Unreadable, match=r"b\.cbm"):
        for_file(broken).source.load(broken, {})  # type: ignore[union-attr,misc]


def test_a_pickle_and_a_pipeline() -> None:
    pipeline = pytest.importorskip("sklearn.pipeline")
    scaler = pytest.importorskip("sklearn.preprocessing").StandardScaler
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = catboost.CatBoostClassifier(iterations=9, verbose=0, allow_writing_files=False)
        fitted = pipeline.Pipeline([("scale", scaler()), ("model", model)]).fit(matrix(), LABELS["text"])
    assert_same(pickle.loads(pickle.dumps(fitted[-1])), matrix())
    assert_same(fitted, matrix())
