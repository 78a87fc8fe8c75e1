"""lightgbm: every objective, booster and option that changes an answer, at thresholds and one ULP beside them."""

from __future__ import annotations

import functools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.converters import for_object
from mlpack_toolkit.converters.spec import Unreadable, Unsupported
from tests.artifacts import saved
from tests.converters.check import answers, assert_same
from tests.converters.files import for_file

pd = pytest.importorskip("pandas")
lgb = pytest.importorskip("lightgbm")

ROWS, WIDTH = 500, 4
FEW: dict[str, Any] = {"n_estimators": 12, "num_leaves": 9, "min_child_samples": 5, "n_jobs": 1, "verbose": -1}


@functools.lru_cache
def data(gaps: bool = True) -> tuple[Any, Any]:
    """A matrix with zeros and (or without) missing cells, and a positive target."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(ROWS, WIDTH))
    x[:, 1] = np.round(x[:, 1], 1)
    x[:, 2] = rng.integers(1_500_000_000, 1_500_100_000, ROWS)
    x[rng.random(ROWS) < 0.3, 3] = 0
    y = np.abs(x[:, 0] + 0.5 * x[:, 1] ** 2) + (x[:, 2] % 7) / 7 + (x[:, 3] == 0) + 0.1
    if gaps:
        x[rng.random(x.shape) < 0.05] = np.nan
    return x, y


def hard(model: Any, x: Any) -> Any:
    """Rows at each threshold and beside it, with missing cells, zeros and numbers that lightgbm rounds to zero."""
    converter = for_object(model)
    assert converter is not None
    zero = float(np.float32(1e-35))
    odd = [
        0.0,
        -0.0,
        zero,
        -zero,
        *np.nextafter([zero, zero, -zero, -zero], [1, 0, -1, 0]),
        1e-40,
        -1e-40,
        1e300,
        np.nan,
    ]
    rows = [x[:60], np.full((1, x.shape[1]), np.nan), np.zeros((1, x.shape[1])), np.full((1, x.shape[1]), -1e300)]
    for i, feature in enumerate(converter.original.describe(model).features):
        at = np.array(feature.thresholds)
        single = at.astype(np.float32).astype(float)
        values = np.concatenate([at, np.nextafter(at, np.inf), np.nextafter(at, -np.inf), single, odd])
        part = x[np.arange(len(values)) % len(x)].copy()
        part[:, i] = values
        rows.append(part)
    return np.concatenate(rows)


def target(objective: str) -> Any:
    """A target of the kind that the objective takes."""
    y = data()[1]
    if objective in ("binary", "cross_entropy", "cross_entropy_lambda"):
        return (y > 1).astype(float)
    return np.round(y) if objective == "poisson" else y


OBJECTIVES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("regression", {}),
    ("regression", {"reg_sqrt": True}),
    ("regression_l1", {"reg_sqrt": True}),
    ("huber", {}),
    ("fair", {"reg_sqrt": True}),
    ("poisson", {}),
    ("quantile", {"alpha": 0.3}),
    ("mape", {}),
    ("gamma", {}),
    ("tweedie", {}),
    ("cross_entropy", {}),
    ("cross_entropy_lambda", {}),
    ("binary", {"sigmoid": 2.5}),
)


@pytest.mark.parametrize("gaps", [True, False])
@pytest.mark.parametrize(("objective", "options"), OBJECTIVES)
def test_each_objective_of_a_regressor(objective: str, options: dict[str, Any], gaps: bool) -> None:
    x, _ = data(gaps)
    model = lgb.LGBMRegressor(objective=objective, **FEW, **options).fit(x, target(objective))
    assert_same(model, hard(model, x))


def test_a_small_cross_entropy_keeps_its_digits() -> None:
    x, _ = data()
    table = lgb.Dataset(x, target("cross_entropy_lambda"))
    booster = lgb.train({"objective": "cross_entropy_lambda", "num_threads": 1, "verbosity": -1}, table, 1)
    for leaf, value in enumerate((-40.0, -20.0, -12.0, -9.3, -9.2, -5.0, 40.0, 800.0)):
        booster.set_leaf_output(0, leaf, value)
    want, got = answers(booster, x, "float64")
    assert want["prediction"].min() < 1e-17 and want["prediction"].max() > 100
    np.testing.assert_allclose(got["prediction"], want["prediction"], rtol=1e-9)


@pytest.mark.parametrize("objective", ["binary", "cross_entropy", "cross_entropy_lambda"])
@pytest.mark.parametrize("labels", [(False, True), ("nein", "žluť"), (3, 2**60)])
def test_binary_classifier_with_labels_of_any_type(objective: str, labels: tuple[Any, Any]) -> None:
    x, y = data()
    model = lgb.LGBMClassifier(objective=objective, **FEW).fit(x, np.where(y > 1.2, labels[1], labels[0]))
    assert_same(model, hard(model, x))


@pytest.mark.parametrize("objective", ["multiclass", "multiclassova"])
@pytest.mark.parametrize("boosting", ["gbdt", "dart", "rf", "goss"])
def test_several_classes(objective: str, boosting: str) -> None:
    x, y = data()
    bag = {"subsample": 0.6, "subsample_freq": 1} if boosting == "rf" else {}
    model = lgb.LGBMClassifier(objective=objective, boosting_type=boosting, **FEW, **bag)
    model.fit(x, np.array(["a", "b", "é", "d"])[np.digitize(y, [0.5, 1.0, 2.0])])
    assert_same(model, hard(model, x))


@pytest.mark.parametrize("boosting", ["dart", "rf", "goss"])
@pytest.mark.parametrize("objective", ["regression", "poisson", "binary"])
def test_each_boosting(boosting: str, objective: str) -> None:
    x, _ = data()
    bag = {"subsample": 0.6, "subsample_freq": 1} if boosting == "rf" else {}
    model = lgb.LGBMRegressor(boosting_type=boosting, objective=objective, **FEW, **bag).fit(x, target(objective))
    assert_same(model, hard(model, x))


@pytest.mark.parametrize("gaps", [True, False])
@pytest.mark.parametrize("zero", [True, False])
@pytest.mark.parametrize("use", [True, False])
def test_missing_cells(gaps: bool, zero: bool, use: bool) -> None:
    x, y = data(gaps)
    model = lgb.LGBMRegressor(zero_as_missing=zero, use_missing=use, **FEW).fit(x, y + (x[:, 3] == 0) * 2)
    assert_same(model, hard(model, x))


@pytest.mark.parametrize("classes", [0, 2, 3])
@pytest.mark.parametrize("gaps", [True, False])
def test_linear_trees(classes: int, gaps: bool) -> None:
    x, y = data(gaps)
    kind = lgb.LGBMClassifier if classes else lgb.LGBMRegressor
    model = kind(linear_tree=True, linear_lambda=0.1, **FEW)
    model.fit(x, np.digitize(y, [0.7, 1.4][: classes - 1]) if classes else y)
    assert "leaf_coeff" in model.booster_.model_to_string()
    rows = hard(model, x)
    rows[np.abs(rows) > 1e12] = 5.0  # the leaves multiply: leave huge products to their own rounding
    assert_same(model, rows)


def test_ranker() -> None:
    x, y = data()
    for objective in ("lambdarank", "rank_xendcg"):
        model = lgb.LGBMRanker(objective=objective, **FEW).fit(x, np.digitize(y, [0.7, 1.4]), group=[25] * (ROWS // 25))
        assert_same(model, hard(model, x))


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_early_stopping_counts_rounds_to_the_best(classes: int) -> None:
    x, y = data()
    kind = lgb.LGBMClassifier if classes else lgb.LGBMRegressor
    model = kind(**FEW).fit(x, np.digitize(y, [0.7, 1.4][: classes - 1]) if classes else y)
    whole = next(iter(answers(model, x, "float64")[1].values()))
    model.booster_.best_iteration = 3  # as `keep_training_booster=True` leaves it
    assert_same(model, hard(model, x))
    assert_same(pickle.loads(pickle.dumps(model)), hard(model, x))
    assert not np.array_equal(whole, next(iter(answers(model, x, "float64")[1].values())))


@pytest.mark.parametrize("gaps", [True, False])
@pytest.mark.parametrize("named", [True, False])
def test_codes_of_categories(gaps: bool, named: bool) -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 70, ROWS).astype(float)
    seen = np.where(rng.random(ROWS) < 0.1, np.nan, codes) if gaps else codes
    x: Any = np.stack([seen, data()[0][:, 0]], axis=1)
    y = data()[1] + 3 * np.isin(codes, [1, 5, 30, 69]) + codes % 2
    odd = [0.5, 4.7, 69.9, 70, 100, -0.5, -1, -1e9, 1e9, 2**31, 2**32 + 1, 1e30, -1e30, np.inf, np.nan]
    rows: Any = np.concatenate([x, np.stack([odd, np.zeros(len(odd))], axis=1)])
    if named:
        x, rows = (pd.DataFrame(v, columns=["code", "number"]) for v in (x, rows))
    options = {"cat_smooth": 0, "min_data_per_group": 1, "max_cat_to_onehot": 2}
    model = lgb.LGBMRegressor(**FEW, **options).fit(x, y, categorical_feature=[0])
    assert "num_cat=0" not in model.booster_.model_to_string().split("Tree=1")[0]
    assert_same(model, rows)


def frame_of_categories() -> Any:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "size": data()[0][:, 0],
            "city": pd.Categorical(
                rng.choice(["Köln", "a", "", "zz top", "日本"], ROWS), ["a", "日本", "", "Köln", "zz top"]
            ),
            "id": pd.Categorical(rng.choice([3, 2**40, -7, 10, 11], ROWS)),
            "n": rng.integers(0, 9, ROWS) + 2**53,
        }
    )


@pytest.mark.parametrize("onehot", [1, 100])
@pytest.mark.parametrize("route", ["object", "file"])
def test_categories_of_a_data_frame(onehot: int, route: str, tmp_path: Path) -> None:
    frame = frame_of_categories()
    y = data()[1] + 3 * (frame["city"].cat.codes % 2) + 2 * (frame["id"].cat.codes % 2)
    options = {"cat_smooth": 0, "min_data_per_group": 1, "max_cat_to_onehot": onehot}
    model: Any = lgb.LGBMRegressor(**FEW, **options).fit(frame, y)
    if route == "file":
        model.booster_.save_model(tmp_path / "model.txt")
        model = lgb.Booster(model_file=tmp_path / "model.txt")
    assert_same(model, frame)
    few = frame.head(7).copy()
    few["city"] = pd.Categorical(["a", None, "never", "", "Köln", "zz top", "日本"])
    few["id"] = pd.Categorical([3, 2**40, -7, 10, 11, 12, 2**40 + 1])
    assert_same(model, few)


def test_an_ordered_category_is_refused() -> None:
    frame = frame_of_categories()
    frame["city"] = frame["city"].cat.as_ordered()
    model = lgb.LGBMRegressor(**FEW).fit(frame, data()[1])
    with pytest.raises(Unsupported, match="ordered"):
        assert_same(model, frame)


def test_named_columns_of_every_type() -> None:
    x, y = data()
    frame = pd.DataFrame({"Größe": x[:, 0], "n": np.arange(ROWS) + 2**53, "flag": y > 1, "small": np.float32(x[:, 1])})
    model = lgb.LGBMRegressor(**FEW).fit(frame, y + frame["n"] % 5)
    assert_same(model, frame)
    assert [f.name for f in for_object(model).original.describe(model).features] == ["Größe", "n", "flag", "small"]  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["matrix", "frame"])
def test_large_integers(kind: str) -> None:
    x: Any = np.stack([np.arange(ROWS) + 2**24, np.arange(ROWS) % 7], axis=1)
    rows: Any = x[np.random.default_rng(0).permutation(ROWS)] + [[0, 1]]
    if kind == "frame":
        x, rows = (pd.DataFrame(v, columns=["id", "n"]) for v in (x, rows))
    model = lgb.LGBMRegressor(**{**FEW, "min_child_samples": 1, "max_bin": 1000}).fit(x, np.arange(ROWS) % 5)
    assert_same(model, rows)


NATIVE = ("binary", "multiclass", "multiclassova", "regression", "poisson", "cross_entropy", "lambdarank")


@pytest.mark.parametrize("objective", NATIVE)
@pytest.mark.parametrize("route", ["pickle", "file"])
def test_native_boosters_and_their_files(objective: str, route: str, tmp_path: Path) -> None:
    x, y = data()
    several = {"num_class": 3} if objective.startswith("multi") else {}
    label = np.digitize(y, [0.7, 1.4]) if several or objective == "lambdarank" else target(objective)
    group = {"group": [25] * (ROWS // 25)} if objective == "lambdarank" else {}
    table = lgb.Dataset(x, label, **group)
    booster = lgb.train({"objective": objective, "num_threads": 1, "verbosity": -1, **several}, table, 8)
    if route == "pickle":
        assert_same(pickle.loads(pickle.dumps(booster)), hard(booster, x))
        return
    path = tmp_path / "model.dat"
    booster.save_model(path)
    converter = for_file(path)
    assert converter is not None and converter.name == "lightgbm" and converter.source.load is not None
    assert_same(converter.source.load(path, {}), hard(booster, x))


def raw_objective(y: Any, score: Any) -> tuple[Any, Any]:
    """Squared error."""
    return score - y, np.ones(len(y))


def test_objectives_of_ones_own() -> None:
    x, y = data()
    model = lgb.LGBMRegressor(objective=raw_objective, **FEW).fit(x, y)
    assert_same(model, hard(model, x))
    classifier = lgb.LGBMClassifier(objective=raw_objective, **FEW).fit(x, y > 1)
    with pytest.raises(Unsupported, match="objective"):
        assert_same(classifier, x)


def test_what_is_refused_is_named() -> None:
    x, y = data()
    model = lgb.LGBMClassifier(pred_early_stop=True, **FEW).fit(x, y > 1)
    with pytest.raises(Unsupported, match="pred_early_stop"):
        assert_same(model, x)


def test_a_broken_file_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "model.txt"
    path.write_text("tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\n")
    converter = for_file(path)
    assert converter is not None and converter.name == "lightgbm" and converter.source.load is not None
    with pytest.raises(Unreadable, match=r"model\.txt"):
        converter.source.load(path, {})


def test_few_rows_and_trees_without_a_split() -> None:
    x, y = data()
    for model in (
        lgb.LGBMClassifier(**FEW).fit(x, np.digitize(y, [1, 2])),
        lgb.LGBMRegressor(linear_tree=True, **FEW).fit(x, y),
        lgb.LGBMRegressor(**{**FEW, "min_child_samples": 400}).fit(x, y),
        lgb.LGBMRegressor(linear_tree=True, **{**FEW, "min_child_samples": 400}).fit(x, y),
    ):
        for count in (1, 5):
            assert_same(model, x[:count])


@pytest.mark.parametrize("kind", ["several classes", "linear", "categories", "codes"])
def test_no_rows_give_no_rows(kind: str) -> None:
    import onnxruntime as ort

    from mlpack_toolkit.converters._worker.signature import signature_of
    from mlpack_toolkit.runtimes.engine.engine import graph_feeds
    from tests.converters.check import table_of

    x, y = data()
    rows: Any = frame_of_categories() if kind == "categories" else x
    if kind == "several classes":
        model = lgb.LGBMClassifier(**FEW).fit(rows, np.digitize(y, [1, 2]))
    else:
        rows = rows if kind != "codes" else np.nan_to_num(np.abs(np.round(x[:, [1]] * 5)))
        chosen = [0] if kind == "codes" else "auto"
        model = lgb.LGBMRegressor(linear_tree=kind == "linear", **FEW).fit(rows, y, categorical_feature=chosen)
    converter = for_object(model)
    assert converter is not None
    description, table = converter.original.describe(model), table_of(rows)
    dtypes = {str(n): str(rows[n].dtype) for n in rows} if kind == "categories" else {}
    signature = signature_of(description, table, converter.original.predict(model, rows), dtypes)
    convert = converter.export.convert
    session = ort.InferenceSession(saved(lambda out: convert(model, description, signature, "float64", out)))
    empty = {name: column[:0] for name, column in table.items()}
    read = {i.name for i in session.get_inputs()}
    feeds = {name: v for name, v in graph_feeds(signature, empty).items() if name in read}
    for spec, got in zip(signature.outputs, session.run(None, feeds), strict=True):
        assert got.shape == (0, *spec.shape[1:]), spec.name


def test_inside_a_pipeline() -> None:
    from sklearn.pipeline import make_pipeline

    x, y = data()
    pipeline = make_pipeline(lgb.LGBMClassifier(**FEW)).fit(x, np.where(y > 1, "ja", "nein"))
    assert_same(pipeline, x)


@pytest.mark.parametrize("boosting", ["gbdt", "rf"])
@pytest.mark.parametrize("classes", [2, 3])
def test_holders_that_ask_for_its_decision(boosting: str, classes: int) -> None:
    """Since 4.7 a classifier has `decision_function`, which holders ask before `predict_proba`."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
    from sklearn.pipeline import make_pipeline

    x, y = data()
    options = {**FEW, "boosting_type": boosting, "subsample": 0.7, "subsample_freq": 1}
    label = np.digitize(y, np.quantile(y, np.linspace(0, 1, classes + 1)[1:-1]))
    member = make_pipeline(lgb.LGBMClassifier(**options))
    bare = lgb.LGBMClassifier(**options)
    for method in ("sigmoid", "isotonic", "temperature"):
        assert_same(CalibratedClassifierCV(bare, method=method, cv=2).fit(x, label), x)
    assert_same(CalibratedClassifierCV(member, cv=2).fit(x, label), x)
    for holder in (OneVsRestClassifier, OneVsOneClassifier, OutputCodeClassifier):
        assert_same(holder(bare).fit(np.nan_to_num(x), label), np.nan_to_num(x))
