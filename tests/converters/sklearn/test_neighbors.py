"""Nearest neighbours and those within a radius: metrics, weights, data far from zero, many training rows, ties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import neighbors
from sklearn.datasets import load_breast_cancer, load_iris, load_wine, make_classification
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlpack_toolkit.converters.sklearn._describe import precisions
from mlpack_toolkit.converters.sklearn._neighbors.nearest import equals_of
from mlpack_toolkit.converters.sklearn._neighbors.rounding import exact_squares
from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

SETTINGS: list[dict[str, Any]] = [
    {},
    {"n_neighbors": 1},
    {"weights": "distance"},
    {"algorithm": "brute"},
    {"algorithm": "ball_tree"},
    {"p": 1},
    {"metric": "chebyshev", "weights": "distance"},
]


def data(rows: int, offset: float = 0.0) -> tuple[Any, Any, Any]:
    x, y = make_classification(rows, 6, n_informative=4, n_redundant=0, n_classes=3, random_state=7)
    spread = np.random.default_rng(0).normal(size=(300, 6)) * 2
    return x + offset, y, spread + offset


@pytest.mark.parametrize("rows", [120, 1000])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_classifier(settings: dict[str, Any], rows: int) -> None:
    x, y, spread = data(rows)
    model = neighbors.KNeighborsClassifier(**settings).fit(x, np.array(["é", "b", "c"])[y])
    assert_same(model, np.vstack([x[:200], spread]))
    assert_same(model, x[:1])
    assert_empty(model, x[:2])


@pytest.mark.parametrize("rows", [120, 1000])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_regressor(settings: dict[str, Any], rows: int) -> None:
    x, _, spread = data(rows)
    model = neighbors.KNeighborsRegressor(**settings).fit(x, x[:, 0] * 3 + x[:, 1])
    assert_same(model, np.vstack([x[:200], spread]))
    assert_same(model, x[:1])
    assert_empty(model, x[:2])


def test_several_targets() -> None:
    x, _, spread = data(120)
    assert_same(neighbors.KNeighborsRegressor(weights="distance").fit(x, x[:, :2]), spread)


@pytest.mark.parametrize("offset", [1e4, 1e7])
@pytest.mark.parametrize("rows", [120, 1000])
def test_far_from_zero(offset: float, rows: int) -> None:
    x, y, spread = data(rows, offset)
    model = neighbors.KNeighborsClassifier(algorithm="kd_tree").fit(x, y)
    assert_same(model, spread)


def test_one_row_absurdly_far() -> None:
    """The quick choice of candidates would lose every digit here."""
    x, y, spread = data(1000)
    x[0] = 1e12
    assert_same(neighbors.KNeighborsClassifier(algorithm="kd_tree").fit(x, y), spread)


def test_votes_tie_goes_to_the_first_class() -> None:
    x = np.array([[0.0], [1.0], [2.5], [4.5]])
    model = neighbors.KNeighborsClassifier(2).fit(x, ["b", "a", "a", "b"])
    assert_same(model, np.array([[0.1], [0.4], [3.4], [3.6]]))


def test_rows_of_the_training_data_count_alone() -> None:
    x, y, _ = data(120)
    assert_same(neighbors.KNeighborsClassifier(4, weights="distance").fit(np.vstack([x, x[:9]]), [*y, *y[:9]]), x)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
@pytest.mark.parametrize("priors", ["uniform", "empirical", [0.5, 0.3, 0.2]], ids=str)
@pytest.mark.parametrize("shrink", [None, 0.3])
def test_centroids(metric: str, priors: Any, shrink: float | None) -> None:
    x, y, spread = data(120)
    model = neighbors.NearestCentroid(metric=metric, priors=priors, shrink_threshold=shrink).fit(x, y)
    assert_same(model, np.vstack([x, spread]))
    assert_empty(model, x[:2])
    two = neighbors.NearestCentroid(metric=metric, priors="empirical").fit(x, y == 1)
    assert_same(two, spread)


def wines() -> tuple[Any, Any]:
    """Chemical measurements in units of their spread."""
    x, y = load_wine(return_X_y=True)
    return (x - x.mean(axis=0)) / x.std(axis=0), y


METRICS: list[dict[str, Any]] = [
    {"p": 3},
    {"p": 1.5, "algorithm": "ball_tree"},
    {"p": 3, "metric_params": {"w": np.arange(1.0, 14.0)}},
    {"metric": "cosine"},
    {"metric": "sqeuclidean"},
    {"metric": "canberra"},
    {"metric": "braycurtis"},
    {"metric": "seuclidean", "metric_params": {"V": np.arange(1.0, 14.0)}},
    {"metric": "mahalanobis", "metric_params": {"VI": np.diag(np.arange(1.0, 14.0))}, "algorithm": "ball_tree"},
    {"metric": "mahalanobis", "metric_params": {"V": np.diag(np.arange(1.0, 14.0))}},
]


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: f"{m.get('metric', 'p')}-{m.get('p', '')}")
def test_metrics(metric: dict[str, Any]) -> None:
    x, y = wines()
    model = neighbors.KNeighborsRegressor(weights="distance", **metric).fit(x[::2], y[::2] * 1.5)
    assert_same(model, x)
    assert_empty(model, x[:2])
    assert_same(neighbors.KNeighborsTransformer(**metric).fit(x), x)


def test_places_on_the_globe() -> None:
    x = np.random.default_rng(0).uniform([-1.5, -3.1], [1.5, 3.1], (200, 2))
    antipodes = np.column_stack([0.01 - x[:, 0], x[:, 1] + np.pi])
    assert_same(neighbors.KNeighborsRegressor(metric="haversine", weights="distance").fit(x, x[:, 0]), antipodes)
    assert_same(neighbors.KNeighborsTransformer(n_neighbors=199, metric="haversine").fit(x), antipodes)
    assert_same(neighbors.RadiusNeighborsTransformer(radius=3, metric="haversine").fit(x), antipodes)
    with pytest.raises(Unsupported, match="half the globe"):
        answers(neighbors.RadiusNeighborsTransformer(radius=4, metric="haversine").fit(x), x, "float64")


@pytest.mark.parametrize("mode", ["distance", "connectivity"])
def test_transformers(mode: str) -> None:
    x, _ = wines()
    for model in (
        neighbors.KNeighborsTransformer(mode=mode),
        neighbors.RadiusNeighborsTransformer(mode=mode, radius=3),
    ):
        assert_same(model.fit(x[::2]), x)
        assert_empty(model, x[:2])


@pytest.mark.parametrize(
    "settings", [{}, {"weights": "distance"}, {"p": 1}, {"p": 3}, {"metric": "cosine", "radius": 0.3}], ids=str
)
@pytest.mark.filterwarnings("ignore:One or more samples have no neighbors")
def test_within_a_radius(settings: dict[str, Any]) -> None:
    x, y = wines()
    options = {"radius": 3.0, **settings}
    rows = np.vstack([x, x + 1, x * 1e3])
    for target in (y * 1.5, np.column_stack([y, x[:, 0]]), y):
        model = neighbors.RadiusNeighborsRegressor(**options).fit(x[::2], target[::2])
        assert_same(model, rows)
        assert_empty(model, x[:2])
    assert_same(neighbors.RadiusNeighborsClassifier(outlier_label=1, **options).fit(x[::2], y[::2]), rows)


def test_points_exactly_at_the_radius_count() -> None:
    x = np.arange(40.0).reshape(-1, 1) / 10
    model = neighbors.RadiusNeighborsClassifier(radius=0.3, outlier_label=0, algorithm="kd_tree").fit(
        x, np.arange(40) % 3
    )
    assert_same(model, np.concatenate([x, np.nextafter(x, 9), np.nextafter(x, -9), x + 0.05]))


@pytest.mark.parametrize("algorithm", ["kd_tree", "brute"])
@pytest.mark.parametrize("label", ["most_frequent", 1, 3, 9])
@pytest.mark.filterwarnings("ignore:Outlier label")
def test_labels_of_outliers(algorithm: str, label: Any) -> None:
    """Brute force takes the label for a position among the classes when it gives probabilities."""
    x, y = wines()
    model = neighbors.RadiusNeighborsClassifier(3.0, outlier_label=label, algorithm=algorithm).fit(x, y + 1)
    rows = np.vstack([x, x * 1e3])
    assert_same(model, rows)
    frame = pd.DataFrame(rows, columns=[f"c{i}" for i in range(13)])
    assert_same(model.fit(frame[:178], y + 1), frame)


@pytest.mark.filterwarnings("ignore:Outlier label")
def test_a_label_of_outliers_that_is_no_class() -> None:
    x, y = wines()
    model = neighbors.RadiusNeighborsClassifier(3.0, outlier_label="?").fit(x, np.array(["a", "b", "c"])[y])
    assert_same(model, np.vstack([x, x * 1e3]))


def test_ties_that_an_order_of_the_rows_decides() -> None:
    """Twins of other classes in one leaf of the tree: the first of the leaf is taken."""
    x = np.repeat(np.arange(12.0), 2).reshape(-1, 1)[::-1]
    model = neighbors.KNeighborsClassifier(1).fit(x, np.arange(24) % 2)
    equals_of(model, 1, lambda m, rows: m.predict_proba(rows))
    assert_same(model, np.concatenate([x, x + 0.25]))


def test_ties_that_only_other_rows_than_the_training_rows_show() -> None:
    """Irises lie on a grid of tenths: an order of the rows gives all 150, but not all rows of that grid."""
    x, y = load_iris(return_X_y=True)
    with pytest.raises(Unsupported, match=r"at equal distances \(ties\)"):
        answers(neighbors.KNeighborsClassifier().fit(x, y), x, "float64")


def test_ties_that_do_not_matter() -> None:
    x = np.repeat(np.arange(20.0), 9).reshape(-1, 1)
    model = neighbors.KNeighborsClassifier(4).fit(x, x.ravel() > 9)
    assert_same(model, x)
    many = neighbors.KNeighborsRegressor(4).fit(np.tile(x, (40, 3)), np.tile(x.ravel(), 40))
    assert equals_of(many, 4, lambda m, rows: m.predict(rows)).crowded
    assert_same(many, np.tile(x, (1, 3)))


def test_ties_are_refused_by_name() -> None:
    x, y = load_iris(return_X_y=True)
    grid = np.round(x)
    for model in (neighbors.KNeighborsClassifier(8), neighbors.KNeighborsTransformer()):
        with pytest.raises(Unsupported, match=r"at equal distances \(ties\): for \d+ of 2150 rows"):
            answers(model.fit(grid, y), grid, "float64")


def test_noise_of_brute_force_is_refused_by_name() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    with pytest.raises(Unsupported, match="matrix product"):
        answers(neighbors.KNeighborsClassifier(weights="distance").fit(x, y), x[:5], "float64")
    assert_same(neighbors.KNeighborsClassifier(weights="distance", algorithm="kd_tree").fit(x, y), x)


@pytest.mark.parametrize("rows", [120, 1000])
@pytest.mark.parametrize("name", ["KNeighborsClassifier", "KNeighborsRegressor"])
def test_brute_force_by_distance_is_refused_on_every_processor(name: str, rows: int) -> None:
    """Whether a row lies at 0 from itself depends on the linear algebra's kernel: here it may, elsewhere it may not."""
    x, y, _ = data(rows)
    model = getattr(neighbors, name)(8, algorithm="brute", weights="distance").fit(x, y)
    with pytest.raises(Unsupported, match="on some processors"):
        answers(model, x[:5], "float64")


def test_brute_force_by_distance_between_whole_numbers_is_exact_on_every_processor() -> None:
    x, y, _ = data(120)
    whole = np.round(x * 1e6)
    for model in (
        neighbors.KNeighborsClassifier(8, algorithm="brute", weights="distance"),
        neighbors.RadiusNeighborsRegressor(4e6, algorithm="brute", weights="distance"),
    ):
        assert_same(model.fit(whole, y), np.vstack([whole, whole / 2]))


@pytest.mark.parametrize("algorithm", ["brute", "kd_tree"])
def test_a_radius_by_distance_with_brute_force_is_refused_on_every_processor(algorithm: str) -> None:
    x, y, _ = data(120)
    for model in (
        neighbors.RadiusNeighborsRegressor(4.0, algorithm=algorithm, weights="distance").fit(x, y),
        neighbors.RadiusNeighborsClassifier(4.0, algorithm=algorithm, weights="distance", outlier_label=0).fit(x, y),
        neighbors.RadiusNeighborsTransformer(radius=4.0, algorithm=algorithm).fit(x),
    ):
        if algorithm == "kd_tree":
            assert_same(model, x)
            continue
        with pytest.raises(Unsupported, match="on some processors"):
            answers(model, x, "float64")


def test_which_squares_are_exact() -> None:
    rows = np.array(
        [[3.0, 4.0], [0.1, 0.2], [0.0, 0.0], [2.0**-1074, 0.0], [1e200, 1e200], [0.375, -1e6], [np.inf, 1.0]]
    )
    assert exact_squares(rows).tolist() == [True, False, True, True, False, True, False]


def test_neighbours_are_compared_as_doubles() -> None:
    x, y = wines()
    behind = make_pipeline(StandardScaler(), neighbors.KNeighborsClassifier()).fit(x, y)
    assert precisions(behind) == precisions(neighbors.RadiusNeighborsRegressor()) == ("float64",)
    assert "float32" in precisions(neighbors.NearestCentroid())


def test_learned_metric() -> None:
    x, y = wines()
    model = neighbors.NeighborhoodComponentsAnalysis(2, random_state=0, max_iter=5).fit(x, y)
    assert_same(model, x)
    assert_same(model, x, "float32", atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"weights": lambda away: away + 1}, "custom function"),
        ({"metric": "correlation"}, "no converter"),
        ({"metric": "nan_euclidean"}, "row of missing values"),
        ({"metric": lambda a, b: abs(a - b).sum()}, "no converter"),
    ],
    ids=["weights", "correlation", "nan", "function"],
)
def test_refused(settings: dict[str, Any], reason: str) -> None:
    x, y, _ = data(60)
    model = neighbors.KNeighborsClassifier(**settings).fit(x, y)
    with pytest.raises(Unsupported, match=reason):
        answers(model, x, "float64")


def test_radius_classifiers_that_are_refused() -> None:
    x, y, _ = data(60)
    with pytest.raises(Unsupported, match="several targets"):
        model = neighbors.RadiusNeighborsClassifier(9.0, outlier_label=0).fit(x, np.column_stack([y, y]))
        answers(model, x, "float64")
    with pytest.raises(Unsupported, match="set outlier_label"):
        answers(neighbors.RadiusNeighborsClassifier(9.0).fit(x, y), x, "float64")


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_several_targets_of_a_classifier(weights: str) -> None:
    x, y, _ = data(60)
    model = neighbors.KNeighborsClassifier(weights=weights).fit(x, np.column_stack([y, x[:, 0] > 0]))
    assert_same(model, x)
