"""CatBoost models that split on categories, held against their graphs: one-hot splits, statistics, combinations."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlpack_toolkit.converters._steps.assemble import assemble
from mlpack_toolkit.converters._worker.signature import signature_of
from mlpack_toolkit.converters.catboost import category_tables, describe
from mlpack_toolkit.converters.catboost.cityhash import hashes_of
from mlpack_toolkit.converters.catboost.reader import Parsed, parse
from mlpack_toolkit.converters.spec import Unsupported
from mlpack_toolkit.packager.errors import ConversionError
from tests.converters.check import answers, assert_same, table_of
from tests.make import build_model, save

catboost = pytest.importorskip("catboost")
ROWS = 400
CITIES = ["Oslo", "Bergen", "Tromsø", "Bø i Vesterålen, langt mot nord", ""]
TEXTS = ["city", "job", "sex"]
CATEGORIES = [*TEXTS, "code"]


def frame(rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    numbers = rng.normal(size=rows)
    return pd.DataFrame(
        {
            "n": np.where(rng.random(rows) < 0.1, np.nan, numbers),
            "city": rng.choice(CITIES, rows),
            "job": rng.choice(list("abcdefg"), rows),
            "sex": rng.choice(["m", "f"], rows),
            "code": rng.integers(-4, 5, rows),
        }
    )


def target(x: pd.DataFrame) -> Any:
    """Numbers that hang on the city, the job and the sex together, and on the sign of `n`."""
    codes = [[values.index(cell) for cell in x[c]] for c, values in zip(TEXTS, (CITIES, "abcdefg", "mf"))]
    worth = np.random.default_rng(1).normal(size=(len(CITIES), 7, 2))[tuple(codes)]
    return worth * np.where(x["n"] > 0, 2, 1) + x["code"].astype(int).to_numpy() % 3


def fit(kind: str = "CatBoostRegressor", x: Any = None, y: Any = None, **options: Any) -> Any:
    x = frame() if x is None else x
    y = target(x) if y is None else y
    options = {"cat_features": CATEGORIES, "iterations": 20, "depth": 4, "max_ctr_complexity": 4, **options}
    return getattr(catboost, kind)(verbose=0, allow_writing_files=False, thread_count=1, **options).fit(x, y)


def hard_rows(x: pd.DataFrame) -> pd.DataFrame:
    """The rows, then rows with texts that the model has not seen, in each column and in all."""
    strange = x.iloc[:60].copy()
    for i, (column, text) in enumerate(product(TEXTS, ["never", "1", "Oslo ", "日本", "x" * 99])):
        strange.iloc[2 * i : 2 * i + 2, list(x).index(column)] = text
    strange.iloc[30:50, list(x).index("code")] = np.resize([77, -1, 2**40, 5], 20)
    strange.iloc[45:60, 1:4] = "nowhere"
    return pd.concat([x, strange], ignore_index=True)


COUNTS: dict[str, Any] = {kind: {"simple_ctr": [kind], "combinations_ctr": [kind]} for kind in ("Borders", "Buckets")}
COUNTS |= {kind: {"simple_ctr": [kind], "combinations_ctr": [kind]} for kind in ("BinarizedTargetMeanValue", "Counter")}
REGRESSORS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    **COUNTS,
    "several borders": {
        "simple_ctr": ["Buckets:TargetBorderCount=3"],
        "combinations_ctr": ["Borders:TargetBorderCount=3"],
    },
    "mean of several": {"simple_ctr": ["BinarizedTargetMeanValue:TargetBorderCount=7"]},
    "priors": {"simple_ctr": ["Borders:Prior=0.3:Prior=-1", "Counter:Prior=7"]},
    "counted in full": {"counter_calc_method": "Full", "simple_ctr": ["Counter"]},
    "single statistics": {"max_ctr_complexity": 1},
    "one-hot alone": {"one_hot_max_size": 50},
    "one-hot and statistics": {"one_hot_max_size": 6},
    "depthwise": {"grow_policy": "Depthwise"},
    "lossguide": {"grow_policy": "Lossguide", "max_leaves": 9},
    "nan as max": {"nan_mode": "Max"},
}


@pytest.mark.parametrize("case", REGRESSORS)
def test_regressors(case: str) -> None:
    model = fit(**REGRESSORS[case])
    for real in ("float32", "float64"):
        assert_same(model, hard_rows(frame()), real)
    assert parse(model).ctrs or case == "one-hot alone"


@pytest.mark.parametrize("classes", [2, 4])
def test_classifiers(classes: int) -> None:
    x = frame()
    y = np.array(["low", "mid", "high", "top"])[
        np.digitize(target(x), [1, 0, 3][: classes - 1] if classes == 2 else [0, 1, 3])
    ]
    model = fit("CatBoostClassifier", x, y)
    assert_same(model, hard_rows(x))
    borders = {parse(model).ctrs[i].values.tobytes() for i in range(len(parse(model).ctrs))}
    assert len(borders) > classes


@pytest.mark.parametrize("kinds", [["Counter"], ["Borders", "Counter"], ["Buckets"]])
def test_statistics_of_combinations_with_numbers_and_one_hot_categories(kinds: list[str]) -> None:
    model = fit(iterations=40, depth=6, combinations_ctr=kinds, model_size_reg=0)
    looked_at = {(len(p.categories), len(p.borders), len(p.hashes)) for p in projections(parse(model))}
    assert {(1, 1, 0), (1, 0, 1), (2, 0, 0)} <= looked_at
    assert_same(model, hard_rows(frame()))


def projections(parsed: Parsed) -> Iterator[Any]:
    return (ctr.projection for ctr in parsed.ctrs)


def test_many_categories_are_known_by_the_rows_of_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    x = frame()
    model = fit(x=x, one_hot_max_size=1, depth=6)
    assert any(len(p.categories) > 1 for p in projections(parse(model)))
    monkeypatch.setattr(category_tables, "MOST_COMBINATIONS", 4)
    monkeypatch.setattr(category_tables, "DENSE", 4)
    assert_same(model, hard_rows(x))


@pytest.mark.parametrize("kind", ["category", "string", "object"])
def test_texts_in_every_pandas_type(kind: str) -> None:
    x = frame().astype(dict.fromkeys(TEXTS, kind))
    assert_same(fit(x=x), x)


@pytest.mark.parametrize("kind", ["bool", "int8", "uint64", "category"])
def test_numbers_and_booleans_as_categories(kind: str) -> None:
    x = frame()
    x["code"] = (x.code.abs() % (2 if kind == "bool" else 5)).astype(kind)
    assert_same(fit(x=x, one_hot_max_size=1), x)


def test_a_number_and_its_text_are_one_category() -> None:
    x = frame()
    model = fit(x=x)
    as_text = x.assign(code=x.code.astype(str))
    np.testing.assert_array_equal(model.predict(x), model.predict(as_text))
    assert_same(model, as_text)


@pytest.mark.parametrize("one_hot", [1, 50])
def test_an_example_without_a_category_is_refused(one_hot: int) -> None:
    x = frame()
    model = fit(x=x, one_hot_max_size=one_hot, max_ctr_complexity=1)
    with pytest.raises(Unsupported, match=r"lacks 1 of the \d categories that the model knows in column 'city'"):
        answers(model, x[x.city != "Oslo"], "float64")


def test_an_example_without_a_combination_is_refused_where_not_all_can_be_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = frame()
    model = fit(x=x, one_hot_max_size=1, depth=6)
    every = x[(x.city != "Oslo") | (x.job != "c")]
    assert_same(model, every)
    monkeypatch.setattr(category_tables, "MOST_COMBINATIONS", 4)
    with pytest.raises(Unsupported, match=r"the example lacks \d+ of the \d+ combinations .* 'city' and 'job'"):
        answers(model, every, "float64")


def test_statistics_that_were_left_out_are_named() -> None:
    x = frame()
    model = fit(x=x, final_ctr_computation_mode="Skip")
    with pytest.raises(Unsupported, match="final_ctr_computation_mode"):
        answers(model, x, "float64")


def pipeline(step: Any, x: pd.DataFrame) -> Any:
    """The step on the texts, the rest as it is, then a model."""
    compose = pytest.importorskip("sklearn.compose")
    from sklearn.pipeline import Pipeline

    columns = compose.ColumnTransformer(
        [("texts", step, TEXTS)], remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    model = catboost.CatBoostRegressor(iterations=9, cat_features=TEXTS, verbose=0, allow_writing_files=False)
    return Pipeline([("columns", columns), ("model", model)]).fit(x, target(frame()))


@pytest.mark.parametrize("strategy", ["constant", "most_frequent"])
def test_a_pipeline_that_passes_texts_on_or_fills_them(strategy: str) -> None:
    impute = pytest.importorskip("sklearn.impute")
    x = frame()
    assert_same(pipeline("passthrough", x), hard_rows(x))
    filled = impute.SimpleImputer(strategy=strategy, fill_value="none")
    x.loc[::9, "city"] = None
    assert_same(pipeline(filled, x), x)


def test_whole_numbers_that_a_pipeline_makes_are_found() -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    from sklearn.pipeline import make_pipeline

    x = frame()[["n"]].fillna(0.0)
    model = catboost.CatBoostRegressor(iterations=9, cat_features=[0], verbose=0, allow_writing_files=False)
    whole = preprocessing.FunctionTransformer(lambda t: t.astype(int))
    bins = preprocessing.KBinsDiscretizer(encode="ordinal", n_bins=3)
    assert_same(make_pipeline(bins, whole, model).fit(x, target(frame())), x)


def test_texts_without_an_example_are_refused() -> None:
    x = frame()
    model = fit(x=x)
    signature = signature_of(describe(model), table_of(x), {"prediction": model.predict(x)})
    with pytest.raises(Unsupported, match="hashes of the categories of 'city', and a graph cannot hash"):
        assemble(model, describe(model), signature, "float64", Path("never"))


def test_hashes_of_texts_of_every_length(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abcdefg øæå"), length)) for length in range(150)]
    x = pd.DataFrame({"c": texts})
    model = fit(x=x, y=np.arange(150.0) % 7, cat_features=["c"], iterations=2)
    model.save_model(str(tmp_path / "m.py"), format="python", pool=catboost.Pool(x, cat_features=["c"]))
    written = (tmp_path / "m.py").read_text()
    values: dict[str, int] = {}
    exec("want = {" + written.split("cat_features_hashes = {")[1].split("}")[0] + "}", values)
    want: Any = values["want"]
    assert {int(h) for h in hashes_of([text.encode() for text in texts])} == set(want.values())


@pytest.mark.parametrize("kind", ["CatBoostClassifier", "CatBoostRegressor"])
def test_whole_builds(kind: str, tmp_path: Path) -> None:
    x = frame()
    y = target(x) if kind == "CatBoostRegressor" else target(x) > 1
    built = build_model(*save(fit(kind, x, y), x, tmp_path), tmp_path / "dist")
    rules = {t.name: t for t in built.signature.inputs}
    assert rules["n"].nullable and not rules["city"].nullable
    assert rules["city"].missing == "\uffff", "the empty text is a category like any other"


def test_a_build_whose_example_lacks_a_category_says_so(tmp_path: Path) -> None:
    model = fit(one_hot_max_size=50)
    with pytest.raises(ConversionError, match="the example lacks 1 of the"):
        build_model(*save(model, frame()[lambda x: x.city != "Oslo"], tmp_path), tmp_path / "dist")
