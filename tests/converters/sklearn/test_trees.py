"""scikit-learn's trees and forests held against their graphs, at thresholds and beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from mlpack_toolkit.converters import for_object
from tests.converters.check import assert_same
from tests.converters.sklearn.empty import assert_empty

Array = np.ndarray[Any, Any]
FORMS = ("float32", "float64")
CLASSIFIERS: dict[str, Any] = {
    "tree": DecisionTreeClassifier(random_state=0),
    "shallow": DecisionTreeClassifier(max_depth=3, random_state=0),
    "extra": ExtraTreeClassifier(random_state=0),
    "forest": RandomForestClassifier(12, random_state=0),
    "rough forest": RandomForestClassifier(12, min_samples_leaf=5, random_state=0, class_weight="balanced"),
    "extra forest": ExtraTreesClassifier(12, max_depth=6, random_state=0),
}
REGRESSORS: dict[str, Any] = {
    "tree": DecisionTreeRegressor(random_state=0),
    "extra": ExtraTreeRegressor(random_state=0),
    "forest": RandomForestRegressor(12, random_state=0),
    "extra forest": ExtraTreesRegressor(12, max_depth=6, random_state=0, criterion="absolute_error"),
}


def data(missing: bool = False, rows: int = 300) -> Array:
    """A column of a 0.1 grid, one of seconds, one of integers above 2^24, one that is smooth."""
    rng = np.random.default_rng(0)
    x = np.column_stack(
        [
            rng.integers(0, 30, rows) / 10,
            1.7e9 + rng.integers(0, 4000, rows),
            2.0**24 + 2 * rng.integers(0, 60, rows),
            rng.normal(size=rows),
        ]
    )
    if missing:
        x[rng.random(x.shape) < 0.1] = np.nan
    return x


def target(x: Array) -> Array:
    rng = np.random.default_rng(1)
    plain = np.nan_to_num(x - np.nanmean(x, axis=0)) / np.nanstd(x, axis=0)
    return np.asarray(plain @ [1.0, -1.0, 0.5, 1.0] + plain[:, 0] * plain[:, 3] + 0.3 * rng.normal(size=len(x)))


def classes(x: Array, count: int) -> Array:
    y = target(x)
    return np.digitize(y, np.quantile(y, np.linspace(0, 1, count + 1)[1:-1]))


def adversarial(model: Any, x: Array, real: str, count: int = 400, missing: bool = False) -> Array:
    """Rows of `x` with a cell or more at a threshold or one step beside it, in both types."""
    converter = for_object(model)
    assert converter is not None
    rng = np.random.default_rng(2)
    out = x[rng.integers(len(x), size=count)].copy()
    for i, feature in enumerate(converter.original.describe(model).features):
        exact = np.array(feature.thresholds or (0.0,))
        near = exact.astype(np.float32)
        steps = [np.nextafter(exact, d) for d in (np.inf, -np.inf)]
        steps += [near, *(np.nextafter(near, np.float32(d)) for d in (np.inf, -np.inf))]
        cells = rng.choice(np.concatenate([exact, *steps, [0.0, -1e9, 1e30]]), count)
        out[:, i] = np.where(rng.random(count) < 0.7, cells, out[:, i])
    if missing:
        out[rng.random(out.shape) < 0.2] = np.nan
    return out.astype(real).astype(np.float64)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("name", sorted(CLASSIFIERS))
@pytest.mark.parametrize("real", FORMS)
def test_classifies_the_same(real: str, name: str, missing: bool) -> None:
    for count in (2, 3, 10):
        x = data(missing)
        model = clone(CLASSIFIERS[name]).fit(x, classes(x, count))
        assert_same(model, adversarial(model, x, real, missing=missing), real)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("name", sorted(REGRESSORS))
@pytest.mark.parametrize("real", FORMS)
def test_regresses_the_same(real: str, name: str, missing: bool) -> None:
    x = data(missing and name != "extra forest")
    missing = bool(np.isnan(x).any())
    model = clone(REGRESSORS[name]).fit(x, target(x))
    assert_same(model, adversarial(model, x, real, missing=missing), real)
    both = clone(REGRESSORS[name]).fit(x, np.column_stack([target(x), 1e3 * target(x) ** 2]))
    assert_same(both, adversarial(both, x, real, missing=missing), real)


@pytest.mark.parametrize("real", FORMS)
def test_routes_missing_cells_that_training_never_saw(real: str) -> None:
    x = data()
    for model in (RandomForestClassifier(9, random_state=0), ExtraTreesClassifier(9, random_state=0)):
        model.fit(
            np.where(np.arange(4) == 3, np.where(np.random.default_rng(0).random(x.shape) < 0.2, np.nan, x), x),
            classes(x, 3),
        )
        probe = adversarial(model, x, real)
        probe[:, 3] = np.nan
        assert_same(model, probe, real)


@pytest.mark.parametrize("real", FORMS)
def test_votes_that_tie_go_to_the_same_class(real: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, (300, 3)).astype(float)
    model = RandomForestClassifier(4, random_state=0).fit(x, rng.integers(0, 3, 300))
    grid = np.array(np.meshgrid(*[np.arange(-1, 5)] * 3)).reshape(3, -1).T.astype(float)
    top = np.sort(model.predict_proba(grid), axis=1)
    assert (top[:, -1] == top[:, -2]).any()
    assert_same(model, grid, real)


@pytest.mark.parametrize("real", FORMS)
def test_labels_of_every_kind(real: str) -> None:
    x = data()
    for labels in (np.array(["né", "ja", "Ω"]), np.array([-5, 7, 2**40]), np.array([1.0, 7.0, -3.0])):
        assert_same(
            RandomForestClassifier(5, random_state=0).fit(x, labels[classes(x, 3)]), x.astype(real).astype(float), real
        )
    assert_same(DecisionTreeClassifier().fit(x, classes(x, 2).astype(bool)), x.astype(real).astype(float), real)


@pytest.mark.parametrize("real", FORMS)
def test_frames_of_mixed_types(real: str) -> None:
    x = data()
    frame = pd.DataFrame({"grid": x[:, 0], "flag": x[:, 3] > 0, "id": x[:, 2].astype(np.int64)})
    model = RandomForestRegressor(8, random_state=0).fit(frame, target(x))
    frame["grid"] = frame["grid"].astype(real).astype(float)
    assert_same(model, frame, real)


@pytest.mark.parametrize("real", FORMS)
@pytest.mark.parametrize(
    "options", [{}, {"max_features": 0.5}, {"contamination": 0.1}, {"max_samples": 2}, {"max_samples": 1}]
)
def test_isolation_forest(options: dict[str, Any], real: str) -> None:
    x = data(missing="contamination" not in options)
    model = IsolationForest(n_estimators=15, random_state=0, **options).fit(x.astype(np.float32))
    assert_same(model, adversarial(model, x, real, missing=True), real)
    assert_same(model, x.astype(np.float32).astype(float), real)


def test_isolation_forest_labels_the_row_that_set_its_offset() -> None:
    x = data()[:101].astype(np.float32).astype(float)
    model = IsolationForest(n_estimators=15, random_state=0, contamination=0.1).fit(x)
    assert (model.decision_function(x) == 0).any()
    assert_same(model, x, "float64")


@pytest.mark.parametrize("real", FORMS)
def test_random_trees_embedding(real: str) -> None:
    x = data()
    model = RandomTreesEmbedding(6, max_depth=3, random_state=0).fit(x)
    assert_same(model, adversarial(model, x, real), real)


@pytest.mark.parametrize("real", FORMS)
def test_trees_of_one_node_and_empty_batches(real: str) -> None:
    x = data()
    models = (
        DecisionTreeClassifier(max_depth=1).fit(x, classes(x, 2)),
        DecisionTreeRegressor().fit(x, np.full(len(x), 2.5)),
        RandomForestClassifier(3, random_state=0).fit(x, classes(x, 10)),
        RandomForestClassifier(3, random_state=0, min_samples_leaf=200).fit(x, classes(x, 2)),
        RandomForestRegressor(3, random_state=0).fit(x, np.column_stack([target(x), target(x)])),
        IsolationForest(n_estimators=3, random_state=0).fit(x),
        RandomTreesEmbedding(3, random_state=0).fit(x),
    )
    for model in models:
        plain = x[:5].astype(real).astype(float)
        assert_same(model, plain, real)
        assert_same(model, plain[:1], real)
        assert_empty(model, plain, real)
