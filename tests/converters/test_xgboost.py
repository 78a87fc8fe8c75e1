"""xgboost: every objective, booster and option that changes an answer, at thresholds and beside them."""

from __future__ import annotations

import functools
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.converters import for_object
from mlpack_toolkit.converters._lookup import step_of
from mlpack_toolkit.converters.spec import Unreadable, Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.files import for_file
from tests.converters.proving import held

pd = pytest.importorskip("pandas")
xgb = pytest.importorskip("xgboost")

ROWS, WIDTH = 400, 4
REALS = ("float32", "float64")
FEW = {"n_estimators": 12, "max_depth": 4, "n_jobs": 1}


@functools.lru_cache
def data() -> tuple[Any, Any]:
    """A matrix with missing cells, and a positive target."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(ROWS, WIDTH))
    x[:, 1] = np.round(x[:, 1], 1)
    x[:, 2] = rng.integers(1_500_000_000, 1_500_100_000, ROWS)
    y = np.abs(x[:, 0] + 0.5 * x[:, 1] ** 2) + (x[:, 2] % 7) / 7 + 0.1
    x[rng.random(x.shape) < 0.05] = np.nan
    return x, y


def hard(model: Any, x: Any) -> Any:
    """Rows at each threshold and beside it in both types, with missing cells and odd numbers."""
    converter = for_object(model)
    assert converter is not None
    thresholds = [np.array(f.thresholds) for f in converter.original.describe(model).features]
    rows = [x[:60], np.full((1, x.shape[1]), np.nan), np.zeros((1, x.shape[1])), np.full((1, x.shape[1]), -1e30)]
    for i, at in enumerate(thresholds):
        near = at.astype(np.float32)
        beside = [np.nextafter(near, np.float32(s)).astype(float) for s in (np.inf, -np.inf)]
        values = np.concatenate([at, np.nextafter(at, np.inf), np.nextafter(at, -np.inf), *beside])[:300]
        part = x[np.arange(len(values)) % len(x)].copy()
        part[:, i] = values
        rows.append(part)
    return np.concatenate(rows)


def same(model: Any, x: Any, real: str = "float32") -> None:
    """Fails unless the graph answers as xgboost; float32 sums in another order, so to their rounding."""
    assert_same(model, x, real, rtol=2e-6, atol=1e-6)


def target(objective: str) -> Any:
    """A target of the kind that the objective takes."""
    y = data()[1]
    name = objective.split(":")[1]
    if name in ("logistic", "logitraw", "hinge"):
        return (y > 1).astype(int)
    if name in ("ndcg", "pairwise", "map"):
        return (y > 1).astype(int)
    return np.round(y * 3) if name == "poisson" else y


OBJECTIVES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("reg:squarederror", {}),
    ("reg:squarederror", {"base_score": 1e6}),
    ("reg:squaredlogerror", {}),
    ("reg:logistic", {}),
    ("reg:logistic", {"base_score": 0.3}),
    ("reg:pseudohubererror", {}),
    ("reg:absoluteerror", {}),
    ("reg:quantileerror", {"quantile_alpha": [0.1, 0.5, 0.9]}),
    ("reg:quantileerror", {"quantile_alpha": 0.7}),
    ("reg:gamma", {}),
    ("reg:tweedie", {"base_score": 2.0}),
    ("count:poisson", {}),
    ("survival:cox", {}),
    ("binary:logistic", {}),
    ("binary:logitraw", {}),
    ("binary:hinge", {}),
)


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize(("objective", "options"), OBJECTIVES)
def test_each_objective_of_a_regressor(objective: str, options: dict[str, Any], real: str) -> None:
    x, _ = data()
    model = xgb.XGBRegressor(objective=objective, **FEW, **options).fit(x, target(objective))
    same(model, hard(model, x), real)


@pytest.mark.parametrize("objective", ["binary:logistic", "reg:logistic", "binary:logitraw", "binary:hinge"])
@pytest.mark.parametrize("real", REALS)
def test_each_objective_of_a_binary_classifier(objective: str, real: str) -> None:
    x, y = data()
    model = xgb.XGBClassifier(objective=objective, **FEW).fit(x, y > 1)
    same(model, hard(model, x), real)


@pytest.mark.parametrize("objective", ["multi:softprob", "multi:softmax"])
@pytest.mark.parametrize("kind", ["XGBClassifier", "XGBRFClassifier"])
def test_several_classes(objective: str, kind: str) -> None:
    x, y = data()
    model = getattr(xgb, kind)(objective=objective, **FEW).fit(x, np.digitize(y, [0.5, 1.0, 1.5]))
    same(model, hard(model, x))
    assert len(set(answers(model, x, "float32")[1]["label"])) == 4


def test_two_classes_with_softmax() -> None:
    x, y = data()
    same(xgb.XGBClassifier(objective="multi:softmax", num_class=2, **FEW).fit(x, y > 1), x)
    doubtful = xgb.XGBClassifier(objective="multi:softprob", num_class=2, **FEW).fit(x, y > 1)
    with pytest.raises((Unsupported, AssertionError)):
        same(doubtful, x)


def test_several_labels_are_refused() -> None:
    x, y = data()
    model = xgb.XGBClassifier(**FEW).fit(x, np.stack([y > 1, y > 2], axis=1).astype(int))
    with pytest.raises(Unsupported, match="several targets"):
        same(model, x)


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
@pytest.mark.parametrize("real", REALS)
def test_several_targets(strategy: str, real: str) -> None:
    x, y = data()
    model = xgb.XGBRegressor(multi_strategy=strategy, **FEW).fit(x, np.stack([y, -3 * y, x[:, 1] > 0], axis=1))
    same(model, hard(model, x), real)


@pytest.mark.parametrize("kind", ["XGBRFRegressor", "XGBRegressor"])
def test_parallel_trees(kind: str) -> None:
    x, y = data()
    more = {} if kind == "XGBRFRegressor" else {"num_parallel_tree": 3}
    model = getattr(xgb, kind)(subsample=0.7, **FEW, **more).fit(x, y)
    same(model, hard(model, x))


@pytest.mark.parametrize("classes", [0, 2, 3])
@pytest.mark.parametrize("normalize", ["tree", "forest"])
def test_dart(classes: int, normalize: str) -> None:
    x, y = data()
    kind = xgb.XGBClassifier if classes else xgb.XGBRegressor
    dart = {"booster": "dart", "rate_drop": 0.5, "normalize_type": normalize}
    model = kind(**dart, **FEW).fit(x, np.digitize(y, [0.7, 1.4][: classes - 1]) if classes else y)
    weights = json.loads(bytes(model.get_booster().save_raw("json")))["learner"]["gradient_booster"]["weight_drop"]
    assert min(weights) < 1
    same(model, hard(model, x))


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("real", REALS)
def test_linear_booster(targets: int, real: str) -> None:
    x = data()[0][:, [0, 1, 3]]
    y = data()[1]
    model = xgb.XGBRegressor(booster="gblinear", n_estimators=5).fit(x, np.stack([y, -y], axis=1)[:, :targets])
    same(model, x, real)
    same(xgb.XGBClassifier(booster="gblinear", n_estimators=5).fit(x, np.digitize(y, [0.7, 1.4])), x, real)


def test_ranker() -> None:
    x, y = data()
    model = xgb.XGBRanker(**FEW).fit(x, np.digitize(y, [0.7, 1.4]), qid=np.arange(ROWS) // 20)
    same(model, hard(model, x))


@pytest.mark.parametrize("missing", [-999, 0, 0.1, np.inf, None])
def test_a_number_that_stands_for_missing(missing: float | None) -> None:
    x, y = data()
    x = np.where(np.isnan(x), 1.0 if missing is None else missing, x)
    x[:3] = np.nan
    model = xgb.XGBRegressor(missing=np.nan if missing is None else missing, **FEW).fit(x, y)
    rows = np.concatenate([hard(model, x), np.full((1, WIDTH), -999.0), np.full((1, WIDTH), 0.1)])
    same(model, rows)


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_early_stopping_counts_rounds_to_the_best(classes: int) -> None:
    x, _ = data()
    y = np.random.default_rng(0).integers(0, max(classes, 2), ROWS)
    kind = xgb.XGBClassifier if classes else xgb.XGBRegressor
    model = kind(n_estimators=60, max_depth=5, n_jobs=1, early_stopping_rounds=5)
    model.fit(x[:300], y[:300], eval_set=[(x[300:], y[300:])], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    same(model, hard(model, x))


def test_named_columns_of_every_type() -> None:
    x, y = data()
    frame = pd.DataFrame({"Größe": x[:, 0], "n": np.arange(ROWS) + 2**24, "flag": y > 1, "small": np.float32(x[:, 1])})
    model = xgb.XGBRegressor(**FEW).fit(frame, y + frame["n"] % 5)
    same(model, frame)
    assert [f.name for f in for_object(model).original.describe(model).features] == ["Größe", "n", "flag", "small"]  # type: ignore[union-attr]


def frame_of_categories() -> Any:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "city": pd.Categorical(rng.choice(["b", "a", "", "zz top", "x", "y"], ROWS)),
            "size": data()[0][:, 0],
            "id": pd.Categorical(rng.choice([3, 2**40, -7, 10, 11], ROWS)),
        }
    )


@pytest.mark.parametrize("onehot", [1, 100])
@pytest.mark.parametrize("real", REALS)
def test_categories_of_a_data_frame(onehot: int, real: str) -> None:
    frame = frame_of_categories()
    y = data()[1] + frame["city"].cat.codes % 3 + 2 * (frame["id"].cat.codes % 2)
    model = xgb.XGBRegressor(enable_categorical=True, max_cat_to_onehot=onehot, **FEW).fit(frame, y)
    same(model, frame, real)
    one = frame.head(7).copy()
    one["city"] = pd.Categorical(["a", None, "zz top", "", "x", None, "b"], categories=frame["city"].cat.categories)
    same(model, one, real)


@pytest.mark.parametrize("route", ["class", "booster"])
def test_a_category_that_xgboost_takes_for_another_is_refused(route: str) -> None:
    """It raises for most texts that it does not know, but finds some in the wrong place of its alphabet."""
    rng = np.random.default_rng(0)
    city = np.where(np.arange(ROWS) == 0, "rare", rng.choice(list("abc"), ROWS))
    frame = pd.DataFrame({"city": pd.Categorical(city), "size": rng.normal(size=ROWS)})
    fitted = xgb.XGBClassifier(enable_categorical=True, **FEW).fit(frame, (frame["city"] == "a").astype(int))
    model = fitted if route == "class" else fitted.get_booster()
    assert held(model, frame).proven.signature.inputs[0].values == ("a", "b", "c", "rare")
    converter = for_object(model)
    assert converter is not None
    for unknown in ("never-seen", "b ", "zz"):
        with pytest.raises(ValueError, match="does not know"):
            converter.original.predict(model, frame.head(1).assign(city=pd.Categorical([unknown])))


def test_missing_among_category_codes_is_refused() -> None:
    frame = frame_of_categories()
    model = xgb.XGBRegressor(enable_categorical=True, missing=2, **FEW).fit(frame, data()[1])
    with pytest.raises(Unsupported, match="missing=2"):
        same(model, frame)


def test_category_names_that_xgboost_cuts_are_refused() -> None:
    frame = frame_of_categories()
    frame["city"] = frame["city"].cat.rename_categories({"x": "Köln"})
    model = xgb.XGBRegressor(enable_categorical=True, **FEW).fit(frame, data()[1])
    with pytest.raises(Unsupported, match="ASCII"):
        same(model, frame)


@pytest.mark.parametrize("onehot", [1, 100])
@pytest.mark.parametrize("named", [False, True])
def test_codes_in_a_matrix(onehot: int, named: bool) -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 40, ROWS).astype(float)
    x: Any = np.stack([np.where(rng.random(ROWS) < 0.1, np.nan, codes), data()[0][:, 0]], axis=1)
    y = data()[1] + 3 * np.isin(codes, [1, 5, 30, 39]) + codes % 2
    odd = [0.5, 4.7, 39.9, 40, 64, 100, -0.5, -1, -1e9, 1e9, 2**24, 2**24 + 1, 2**31, 2**32 + 1, 1e30, np.nan]
    rows: Any = np.concatenate([x, np.stack([odd, np.zeros(len(odd))], axis=1)])
    if named:
        x, rows = (pd.DataFrame(v, columns=["code", "number"]) for v in (x, rows))
    model = xgb.XGBRegressor(enable_categorical=True, feature_types=["c", "q"], max_cat_to_onehot=onehot, **FEW).fit(
        x, y
    )
    for real in REALS:
        same(model, rows, real)


NATIVE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("binary:logistic", {}),
    ("binary:logitraw", {}),
    ("binary:hinge", {}),
    ("multi:softprob", {"num_class": 3}),
    ("multi:softprob", {"num_class": 2}),
    ("multi:softmax", {"num_class": 3}),
    ("reg:squarederror", {}),
    ("survival:aft", {}),
    ("rank:map", {}),
)


@pytest.mark.parametrize(("objective", "options"), NATIVE)
@pytest.mark.parametrize("suffix", ["json", "ubj", "txt", ""])
def test_native_boosters_and_their_files(objective: str, options: dict[str, Any], suffix: str, tmp_path: Path) -> None:
    x, y = data()
    label = np.digitize(y, [0.7, 1.4][: options.get("num_class", 2) - 1])
    table = xgb.DMatrix(x, label=label)
    if objective == "survival:aft":
        table.set_float_info("label_lower_bound", y)
        table.set_float_info("label_upper_bound", y * 2)
    booster = xgb.train({"objective": objective, "max_depth": 4, "nthread": 1, **options}, table, 8)
    if not suffix:
        same(pickle.loads(pickle.dumps(booster)), hard(booster, x))
        return
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(booster.save_raw("json" if suffix == "txt" else suffix))
    converter = for_file(path)
    assert converter is not None and converter.name == "xgboost" and converter.source.load is not None
    same(converter.source.load(path, {}), hard(booster, x))


@pytest.mark.parametrize("suffix", ["json", "ubj"])
@pytest.mark.parametrize("kind", ["XGBClassifier", "XGBRegressor", "XGBRanker"])
def test_a_file_of_a_scikit_learn_class_becomes_that_class(kind: str, suffix: str, tmp_path: Path) -> None:
    x, y = data()
    more = {"qid": np.arange(ROWS) // 20} if kind == "XGBRanker" else {}
    model = getattr(xgb, kind)(**FEW).fit(x, (y > 1).astype(int), **more)
    path = tmp_path / f"model.{suffix}"
    model.save_model(path)
    converter = for_file(path)
    assert converter is not None and converter.source.load is not None
    loaded = converter.source.load(path, {})
    assert type(loaded).__name__ == kind
    same(loaded, hard(model, x))


def test_a_broken_file_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text('{"learner": {"attributes": {}')
    converter = for_file(path)
    assert converter is not None and converter.source.load is not None
    with pytest.raises(Unreadable, match=r"model\.json"):
        converter.source.load(path, {})


@pytest.mark.parametrize("text", ['{"a": 1}', "tree\nversion=v4\n", "learner", '["learner"]'])
def test_other_files_are_left_alone(text: str, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(text)
    found = for_file(path)
    assert found is None or found.name != "xgboost"


def test_no_rows_one_row_and_no_trees() -> None:
    x, y = data()
    frame = pd.DataFrame(x, columns=list("abcd"))
    for model, rows in (
        (xgb.XGBClassifier(**FEW).fit(x, np.digitize(y, [1, 2])), x),
        (xgb.XGBRegressor(**FEW).fit(frame, y), frame),
        (xgb.XGBRegressor(n_estimators=1, max_depth=2, gamma=1e9).fit(x, y), x),
        (xgb.XGBRegressor(n_estimators=0).fit(x, y), x),
        (xgb.XGBRegressor(multi_strategy="multi_output_tree", **FEW).fit(x, np.stack([y, y], axis=1)), x),
    ):
        for count in (0, 1, 5):
            same(model, rows[:count])


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("base", [0.5, -1e4])
def test_many_trees_add_up_in_the_same_order(base: float, real: str) -> None:
    x, y = data()
    model = xgb.XGBRegressor(n_estimators=400, max_depth=3, n_jobs=1, base_score=base).fit(x, y - 1)
    assert_same(model, x, real, rtol=1e-7, atol=1e-9)


def test_pruned_trees() -> None:
    x, y = data()
    model = xgb.XGBRegressor(n_estimators=5, max_depth=6, gamma=2.0, tree_method="exact", n_jobs=1).fit(x, y)
    same(model, hard(model, x))


def test_inside_a_pipeline() -> None:
    from sklearn.pipeline import make_pipeline

    x, y = data()
    pipeline = make_pipeline(xgb.XGBClassifier(**FEW)).fit(x, y > 1)
    same(pipeline, x)


def test_an_unknown_objective_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = data()
    model = xgb.XGBRegressor(**FEW).fit(x, y)
    raw = bytes(model.get_booster().save_raw("ubj")).replace(b"reg:squarederror", b"reg:squarederros")
    monkeypatch.setattr(xgb.Booster, "save_raw", lambda self, kind: raw)
    with pytest.raises(Unsupported, match="squarederros"):
        same(model, x)


def test_a_subclass_is_refused() -> None:
    renamed = type("Renamed", (xgb.XGBRegressor,), {"__module__": "xgboost.sklearn"})
    with pytest.raises(Unsupported, match="Renamed"):
        step_of(renamed())


def test_a_regressor_that_names_classes_is_refused() -> None:
    x, y = data()
    model = xgb.XGBRegressor(objective="multi:softmax", num_class=3, **FEW).fit(x, np.digitize(y, [0.7, 1.4]))
    with pytest.raises(Unsupported, match="softmax"):
        same(model, x)


def test_the_binary_form_holds_what_the_text_form_holds() -> None:
    from mlpack_toolkit.converters.xgboost.ubjson import parse

    booster = xgb.XGBRegressor(enable_categorical=True, booster="dart", **FEW).fit(frame_of_categories(), data()[1])
    booster = booster.get_booster()
    text, binary = json.loads(bytes(booster.save_raw("json"))), parse(bytes(booster.save_raw("ubj")))
    numbers: list[int] = []

    def compare(a: Any, b: Any, path: str) -> None:
        if isinstance(b, dict):
            assert sorted(a) == sorted(b), path
            for key in b:
                compare(a[key], b[key], f"{path}/{key}")
        elif isinstance(b, list):
            assert len(a) == len(b), path
            for i, (left, right) in enumerate(zip(a, b, strict=True)):
                compare(left, right, f"{path}/{i}")
        else:
            assert a == b or np.float32(a) == np.float32(b), path
            numbers.append(1)

    compare(binary, text, "")
    assert len(numbers) > 1000
