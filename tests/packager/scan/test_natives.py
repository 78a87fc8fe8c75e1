"""Trees that native code walks: those of real models load, and one whose index leads outside is refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import DistanceMetric
from sklearn.neighbors import BallTree, KDTree
from sklearn.tree import DecisionTreeClassifier

from mlpack_toolkit.converters._trust.loading import load_pickle
from mlpack_toolkit.converters._trust.rules import Refused

from .estimators import X, Y, Z
from .forge import G, build, call, new, written
from .test_guard import EVERYTHING

TREE = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, Y).tree_
PREDICTOR = HistGradientBoostingRegressor(max_iter=1, min_samples_leaf=2).fit(X, Z)._predictors[0][0]


def loaded(path: Path, data: bytes) -> Any:
    path.write_bytes(data)
    return load_pickle(path, EVERYTHING)


class _Changed:
    """Pickles as the object does, with another state."""

    def __init__(self, made: tuple[Any, ...], state: Any) -> None:
        self.made, self.state = made, state

    def __reduce__(self) -> Any:
        return (*self.made, self.state)


@pytest.mark.parametrize(
    "kind, metric",
    [
        *((kind, metric) for kind in (KDTree, BallTree) for metric in ("euclidean", "minkowski", "chebyshev")),
        *((BallTree, metric) for metric in ("seuclidean", "mahalanobis", "haversine")),
    ],
)
def test_trees_of_neighbours_of_real_models_load(tmp_path: Path, kind: type, metric: str) -> None:
    named: dict[str, Any] = {"minkowski": {"p": 3}, "seuclidean": {"V": X.var(0)}, "mahalanobis": {"V": np.cov(X.T)}}
    x = X[:, :2] if metric == "haversine" else X
    made = kind(x, leaf_size=3, metric=metric, **named.get(metric, {}))
    again = loaded(tmp_path / "m", pickle.dumps(made))
    assert np.array_equal(again.query(x[:5], 3)[1], made.query(x[:5], 3)[1])


def test_decision_trees_of_real_models_load(tmp_path: Path) -> None:
    rows = X[:5].astype(np.float32)
    assert np.array_equal(loaded(tmp_path / "m", pickle.dumps(TREE)).apply(rows), TREE.apply(rows))
    pruned = DecisionTreeClassifier(ccp_alpha=0.02, random_state=0).fit(X, Y)
    best = DecisionTreeClassifier(max_leaf_nodes=5, random_state=0).fit(X, Y)
    for model in (pruned, best):
        assert np.array_equal(loaded(tmp_path / "m", pickle.dumps(model)).predict(X), model.predict(X))


def _node(name: str, place: int, value: int) -> Callable[[Any], None]:
    def change(state: Any) -> None:
        state["nodes"] = state["nodes"].copy()
        state["nodes"][name][place] = value

    return change


TREE_CHANGES = {
    "a child outside": _node("left_child", 0, 10**6),
    "a child before the first": _node("right_child", 0, -2),
    "a walk without an end": _node("left_child", 0, 0),
    "a column outside": _node("feature", 0, 4),
    "a column before the first": _node("feature", 0, -1),
    "more nodes than there are": lambda state: state.update(node_count=10**6),
    "no nodes": lambda state: state.update(nodes=None),
    "nodes of another kind": lambda state: state.update(nodes=np.zeros(3)),
}


@pytest.mark.parametrize("name", TREE_CHANGES)
def test_a_decision_tree_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    made, args, state = TREE.__reduce__()
    TREE_CHANGES[name](state)
    with pytest.raises(Refused, match="index out of range"):
        loaded(tmp_path / "m", pickle.dumps(_Changed((made, args), state)))


@pytest.mark.parametrize("classes, outputs", [([2], 2), ([2, 2], 1), ([0], 1), ([-1], 1)])
def test_a_decision_tree_of_other_outputs_is_refused(tmp_path: Path, classes: list[int], outputs: int) -> None:
    made, _, state = TREE.__reduce__()
    with pytest.raises(Refused, match="index out of range"):
        loaded(tmp_path / "m", pickle.dumps(_Changed((made, (4, np.array(classes), outputs)), state)))


SPACE_CHANGES: dict[str, Callable[[list[Any]], Any]] = {
    "an order outside": lambda state: state.__setitem__(1, state[1] + 10**6),
    "a shorter order": lambda state: state.__setitem__(1, state[1][:-1].copy()),
    "fewer rows": lambda state: state.__setitem__(0, state[0][:-1].copy()),
    "fewer columns": lambda state: state.__setitem__(0, state[0][:, :2].copy()),
    "fewer bounds": lambda state: state.__setitem__(3, state[3][:, :1].copy()),
    "more nodes than there are": lambda state: state.__setitem__(6, 10**6),
    "no leaf at the end": lambda state: state[2]["is_leaf"].__setitem__(-1, 0),
    "a node's end outside": lambda state: state[2]["idx_end"].__setitem__(0, 10**6),
    "fewer weights": lambda state: state.__setitem__(12, np.ones(3)),
    "a state cut short": lambda state: state.__delitem__(slice(3, None)),
    "no measure": lambda state: state.__setitem__(11, None),
    "a measure of fewer columns": lambda state: state.__setitem__(
        11, DistanceMetric.get_metric("seuclidean", V=np.ones(2))
    ),
}


@pytest.mark.parametrize("kind", [KDTree, BallTree])
@pytest.mark.parametrize("name", SPACE_CHANGES)
def test_a_tree_of_neighbours_that_leads_outside_is_refused(tmp_path: Path, kind: type, name: str) -> None:
    made, args, state = kind(X, leaf_size=3).__reduce__()
    changed = [np.array(part) if isinstance(part, np.ndarray) else part for part in state]
    SPACE_CHANGES[name](changed)
    with pytest.raises(Refused, match="index out of range"):
        loaded(tmp_path / "m", pickle.dumps(_Changed((made, args), tuple(changed))))


def test_a_tree_of_boosting_that_leads_outside_is_refused(tmp_path: Path) -> None:
    assert len(loaded(tmp_path / "m", pickle.dumps(PREDICTOR)).nodes) == len(PREDICTOR.nodes)
    for name, value in (("left", 10**6), ("right", 0)):
        other = pickle.loads(pickle.dumps(PREDICTOR))
        other.nodes[name][0] = value
        with pytest.raises(Refused, match="index out of range"):
            loaded(tmp_path / "m", pickle.dumps(other))


@pytest.mark.parametrize("name", ["EuclideanDistance64", "JaccardDistance64", "MahalanobisDistance32"])
def test_a_measure_of_distance_has_the_state_that_it_reads(tmp_path: Path, name: str) -> None:
    metric = new(G(f"sklearn.metrics._dist_metrics.{name}"))
    for state in ((), (1.0 > 0,), (2, (), ()), (2, "x", "y")):
        with pytest.raises(Refused):
            loaded(tmp_path / "m", written(build(metric, state), 4))


@pytest.mark.parametrize(
    "made",
    [
        call(G("sklearn.neighbors._kd_tree.newObj"), G("sklearn.neighbors._kd_tree.KDTree")),
        new(G("sklearn.metrics._dist_metrics.EuclideanDistance64")),
    ],
)
def test_what_native_code_reads_has_a_state_at_the_end(tmp_path: Path, made: Any) -> None:
    model = build(new(G("sklearn.neighbors._unsupervised.NearestNeighbors")), {"_tree": made})
    with pytest.raises(Refused, match="without a state"):
        loaded(tmp_path / "m", written(model, 4))


@pytest.mark.parametrize("shape, values", [((300,), [1]), ((1,), [1, 2]), ((), []), ((-1,), [1])])
def test_an_array_of_objects_has_as_many_as_places(tmp_path: Path, shape: tuple[int, ...], values: list[int]) -> None:
    made, args, _ = np.empty(0, object).__reduce__()
    with pytest.raises(Refused, match="index out of range"):
        loaded(tmp_path / "m", pickle.dumps(_Changed((made, args), (1, shape, np.dtype(object), False, values))))


def test_arrays_of_objects_of_real_models_load(tmp_path: Path) -> None:
    for array in (
        np.array([None, "a"], object),
        np.array([[1, "x"]], object),
        np.array(None),
        np.empty((0, 3), object),
    ):
        again = loaded(tmp_path / "m", pickle.dumps(array))
        assert again.shape == array.shape and again.tolist() == array.tolist()
