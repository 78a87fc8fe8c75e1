"""FunctionTransformer: alone, in pipelines, with arguments; what is probed behind and inside it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mlpack_toolkit.converters._lookup import thresholds_of
from tests.converters.check import assert_same

X = np.random.default_rng(0).random((60, 3)) * 5
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])


def scaled(x: Any, by: float = 1.0, only: Any = None) -> Any:
    return (x if only is None else x[:, only]) * by


@pytest.mark.parametrize(
    "transformer",
    [
        FunctionTransformer(),
        FunctionTransformer(np.log1p),
        FunctionTransformer(np.log1p, validate=True),
        FunctionTransformer(scaled, kw_args={"by": 3.0, "only": [2, 0]}, inverse_func=np.exp, check_inverse=False),
        FunctionTransformer(partial(np.clip, a_min=1, a_max=2)),
    ],
    ids=["identity", "log1p", "validated", "of a module", "partial"],
)
@pytest.mark.parametrize("real", ["float32", "float64"])
def test_alone_and_before_a_model(transformer: Any, real: str) -> None:
    assert_same(transformer.fit(X), X, real)
    assert_same(make_pipeline(transformer, StandardScaler(), Ridge()).fit(X, X[:, 0]), X, "float64")


def test_beside_others() -> None:
    columns = make_column_transformer(
        (FunctionTransformer(np.log1p), ["a"]), (FunctionTransformer(np.sqrt), ["c", "b"])
    )
    assert_same(make_pipeline(columns, Ridge()).fit(FRAME, X[:, 0]), FRAME)
    both = make_union(FunctionTransformer(np.square), FunctionTransformer(lambda x: x.sum(axis=1, keepdims=True)))
    assert_same(make_pipeline(both, Ridge()).fit(X, X[:, 0]), X)


def test_a_registered_function_goes_by_its_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlpack_toolkit.converters._steps import user_defined

    def doubled(fitted: Any, graph: Any, frame: Any) -> Any:
        x = graph.matrix(frame)
        return graph.block(graph.op("Add", x.name, x.name), x.width)

    def untraceable(x: Any) -> Any:
        return np.array([[2 * cell for cell in row] for row in np.atleast_2d(x)]).reshape(len(x), -1)

    fitted = FunctionTransformer(untraceable).fit(X)
    monkeypatch.setitem(user_defined._steps, user_defined.dotted(untraceable), doubled)
    assert_same(fitted, X)


def test_splits_behind_a_function_of_numpy_are_probed_in_front_of_it() -> None:
    forest = make_pipeline(FunctionTransformer(np.log1p), RandomForestRegressor(2, max_depth=2, random_state=0))
    found = thresholds_of(forest.fit(X, X[:, 0]), 3)
    splits = np.unique(np.concatenate([t.tree_.threshold[t.tree_.feature == 0] for t in forest[-1].estimators_]))
    below, above = np.array(found[0]).reshape(-1, 2).T
    assert below == pytest.approx(np.expm1(splits), rel=1e-12)
    assert (np.log1p(below) < splits).all() and (splits < np.log1p(above)).all()


def test_splits_behind_columns_that_stay_are_probed() -> None:
    beside = FunctionTransformer(lambda x: np.column_stack([x[:, 0] * x[:, 1], x[:, 2]]))
    forest = make_pipeline(beside, RandomForestRegressor(2, max_depth=2, random_state=0)).fit(X, X[:, 2])
    found = thresholds_of(forest, 3)
    assert found[2] and not found[0] and not found[1]


def test_what_a_function_compares_with_is_probed() -> None:
    steps = FunctionTransformer(lambda x: np.where(x[:, 1:2] > 0.3, x, np.digitize(x[:, :1], [1, 2])))
    assert thresholds_of(steps.fit(X), 3) == [[1.0, 2.0], [0.3], []]
    by_name = FunctionTransformer(lambda d: d.assign(high=d["b"] >= 4.5)).fit(FRAME)
    assert thresholds_of(by_name, 3) == [[], [4.5], []]


def test_categories_behind_a_function_are_probed_in_their_own_column() -> None:
    from sklearn.preprocessing import OneHotEncoder

    from mlpack_toolkit.converters._lookup import values_of

    rows = FRAME.assign(city=np.array(["Oslo", "Bern", "Rome"] * 20, object))

    def steps(d: Any) -> Any:
        return d[["city", "a"]].assign(home=(d["city"] == "Bern").astype(float))

    model = make_pipeline(FunctionTransformer(steps), make_column_transformer((OneHotEncoder(), ["city"])), Ridge())
    assert values_of(model.fit(rows, X[:, 0]), 4) == [None, None, None, ["Bern", "Oslo", "Rome"]]
    assert_same(model, rows)
