"""The tree engine held against a plain walk down the same arrays."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import pytest

from mlpack_toolkit.converters._graph.builder import GraphBuilder
from mlpack_toolkit.converters._trees import ensemble
from mlpack_toolkit.converters._trees.arrays import Trees, tree_of, unique_thresholds, with_base
from mlpack_toolkit.converters._trees.ensemble_sum import CELLS_AT_ONCE, distinct_rows, per_tree, tree_sum
from mlpack_toolkit.converters.spec import TensorSpec
from tests.artifacts import saved

Array = np.ndarray[Any, Any]
FORMS = ("float32", "float64")
WIDTH = 4
CODES = 40
CATEGORICAL = (2, 3)


def grow(rng: np.random.Generator, count: int, depth: int, categories: bool) -> Trees:
    """Random trees: thresholds from a few values (so that paths repeat them), sets of codes in the last columns."""
    nodes: list[tuple[int, float, int, int]] = []
    sets: dict[int, frozenset[int]] = {}
    pool = [frozenset(rng.choice(CODES, rng.integers(0, 12), replace=False).tolist()) for _ in range(6)]

    def add(level: int) -> int:
        here = len(nodes)
        nodes.append((-1, 0.0, 0, 0))
        if level == 0 or rng.random() < 0.2:
            return here
        feature = int(rng.integers(WIDTH))
        if categories and feature in CATEGORICAL:
            sets[here] = pool[rng.integers(len(pool))]
        threshold = float(rng.choice([0.1, 0.3, 1 / 3, -0.7, 16777217.0, 0.0, np.inf]))
        nodes[here] = (feature, threshold, add(level - 1), add(level - 1))
        return here

    roots = [add(depth) for _ in range(count)]
    feature, threshold, left, right = (np.array(part) for part in zip(*nodes, strict=True))
    missing = rng.random(len(nodes)) < 0.5
    return Trees(np.array(roots), feature, threshold, left, right, missing, rng.normal(size=len(nodes)), category=sets)


def walk(trees: Trees, x: Array, targets: int) -> Array:
    """The sums, one row and one tree after the other."""
    total = np.zeros((len(x), targets))
    for row, out in zip(x, total, strict=True):
        for root in trees.roots:
            node = root
            while trees.feature[node] >= 0:
                node = trees.left[node] if goes_left(trees, node, row[trees.feature[node]]) else trees.right[node]
            if trees.leaf.ndim == 2:
                out += trees.leaf[node]
            else:
                out[0 if trees.target is None else trees.target[node]] += trees.leaf[node]
    return total


def goes_left(trees: Trees, node: int, cell: float) -> bool:
    if np.isnan(cell):
        return bool(trees.missing_left[node])
    codes = (trees.category or {}).get(node)
    if codes is not None:
        return np.trunc(np.clip(cell, -1e18, 1e18)) in codes
    return bool(cell < trees.threshold[node] if trees.strict else cell <= trees.threshold[node])


def rows(rng: np.random.Generator, trees: Trees, count: int) -> Array:
    """Every threshold and its neighbours in both types, codes in and out of the sets, missing and huge cells."""
    exact = np.unique(trees.threshold)
    near = exact.astype(np.float32)
    around = [exact, np.nextafter(exact, np.inf), np.nextafter(exact, -np.inf)]
    around += [near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))]
    odd = [np.nan, np.inf, -np.inf, 1e30, -1.0, -0.5, 2.5, CODES + 0.5, 2.0**31, 2.0**63]
    return rng.choice(np.concatenate([*around, np.array(odd), np.arange(CODES + 3.0)]), (count, WIDTH))


def written(trees: Trees, width: int, real: str, compare: str, targets: int, each: bool = False) -> bytes:
    graph = GraphBuilder(real)
    value = graph.input(TensorSpec("X", real, ("N", width)))
    name = per_tree(graph, trees, value, compare) if each else tree_sum(graph, trees, value, compare)
    graph.output("y", name, "float64" if each else real, ("N", targets))
    return saved(graph.write)


def run(trees: Trees, x: Array, real: str, compare: str, targets: int, each: bool = False) -> Array:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(written(trees, x.shape[1], real, compare, targets, each), options)
    with np.errstate(over="ignore"):
        return np.asarray(session.run(None, {"X": x.astype(real)})[0])


def seen(x: Array, real: str, compare: str) -> Array:
    """The cells as the original and the graph compare them."""
    with np.errstate(over="ignore"):
        return x.astype(np.float32 if "float32" in (real, compare) else np.float64).astype(np.float64)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("categories", [False, True])
@pytest.mark.parametrize("compare", FORMS)
@pytest.mark.parametrize("real", FORMS)
def test_walks_like_the_arrays_say(real: str, compare: str, categories: bool, strict: bool) -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        trees = replace(grow(rng, 7, 5, categories), strict=strict)
        target = rng.integers(3, size=len(trees.feature))
        x = rows(rng, trees, 200)
        for kind in (trees, replace(trees, target=target, targets=3)):
            want = walk(kind, seen(x, real, compare), kind.targets)
            limit = 1e-5 if real == "float32" else 1e-13
            np.testing.assert_allclose(run(kind, x, real, compare, kind.targets), want, rtol=limit, atol=limit)


@pytest.mark.parametrize("compare", FORMS)
@pytest.mark.parametrize("real", FORMS)
def test_adds_vectors_of_leaves(real: str, compare: str) -> None:
    rng = np.random.default_rng(0)
    trees = grow(rng, 9, 5, True)
    trees = replace(trees, leaf=rng.normal(size=(len(trees.feature), 5)), targets=5)
    x = rows(rng, trees, 300)
    got, want = run(trees, x, real, compare, 5), walk(trees, seen(x, real, compare), 5)
    np.testing.assert_array_equal(got, want.astype(real))


def test_adds_many_vectors_a_few_trees_at_a_time() -> None:
    rng = np.random.default_rng(0)
    trees, width = grow(rng, 9, 3, False), CELLS_AT_ONCE // 2
    trees = replace(trees, leaf=rng.normal(size=(len(trees.feature), width)), targets=width)
    x = rows(rng, trees, 20)
    np.testing.assert_allclose(
        run(trees, x, "float64", "float64", width), walk(trees, x, width), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("vectors", [False, True])
def test_answers_an_empty_batch_and_trees_that_are_one_leaf(vectors: bool) -> None:
    none = np.zeros(2, np.int64)
    leaf = np.array([[1.5, 2.0], [4.0, 8.0]]) if vectors else np.array([1.5, 4.0])
    width = 2 if vectors else 1
    trees = Trees(np.array([0, 1]), none - 1, none * 1.0, none, none, none.astype(bool), leaf, targets=width)
    want = np.array([[5.5, 10.0]])[:, :width]
    for real in FORMS:
        x = np.array([[0.0] * WIDTH, [np.nan] * WIDTH, [np.inf] * WIDTH])
        np.testing.assert_array_equal(run(trees, x, real, "float64", width), want.repeat(3, axis=0))
        assert run(trees, x[:0], real, "float64", width).shape == (0, width)


def test_starts_from_a_base() -> None:
    rng = np.random.default_rng(1)
    trees = grow(rng, 6, 4, False)
    trees = replace(trees, target=tree_of(trees) % 2, targets=2)
    x = rows(rng, trees, 50)
    want = np.array([0.1, -3.0]) + walk(trees, x, 2)
    np.testing.assert_allclose(run(with_base(trees, [0.1, -3.0]), x, "float64", "float64", 2), want, rtol=1e-12)


def test_tells_what_each_tree_says() -> None:
    rng = np.random.default_rng(2)
    trees = grow(rng, 5, 4, True)
    x = rows(rng, trees, 50)
    want = np.hstack([walk(replace(trees, roots=trees.roots[i : i + 1]), x, 1) for i in range(5)])
    np.testing.assert_array_equal(run(trees, x, "float64", "float64", 5, each=True), want)


def symmetric(rng: np.random.Generator, depths: list[int], targets: int = 1) -> Trees:
    """Heaps with one test per level, NaN to one side per column."""
    to_left = rng.random(WIDTH) < 0.5
    parts = []
    for depth in depths:
        feature, threshold = rng.integers(WIDTH, size=depth), rng.choice([0.1, 1 / 3, -0.7, 0.0], depth)
        level = np.repeat(np.arange(depth + 1), 2 ** np.arange(depth + 1))
        parts.append((np.append(feature, -1)[level], np.append(threshold, 0.0)[level]))
    sizes = np.array([len(feature) for feature, _ in parts])
    roots = np.cumsum(sizes) - sizes
    feature, threshold = (np.concatenate(part) for part in zip(*parts, strict=True))
    start, inner = np.repeat(roots, sizes), feature >= 0
    left = np.where(inner, 2 * np.arange(len(feature)) - start + 1, 0)
    leaf = rng.normal(size=(len(feature), targets))
    return Trees(
        roots,
        feature,
        threshold,
        left,
        np.where(inner, left + 1, 0),
        to_left[feature],
        leaf if targets > 1 else leaf[:, 0],
        targets=targets,
        symmetric=True,
    )


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("depths", [[3, 3, 3], [0, 2, 5, 2, 0], [0], [1, 9]])
def test_symmetric_trees_walk_alike(depths: list[int], targets: int) -> None:
    rng = np.random.default_rng(len(depths))
    trees = symmetric(rng, depths, targets)
    x = rows(rng, trees, 200)
    for real in FORMS:
        want = walk(trees, seen(x, real, "float32"), targets)
        limit = 1e-5 if real == "float32" else 1e-13
        np.testing.assert_allclose(run(trees, x, real, "float32", targets), want, rtol=limit, atol=limit)
        assert run(trees, x[:0], real, "float32", targets).shape == (0, targets)


WAYS = ("one target", "targets apart", "targets together", "mixed targets", "vectors", "each tree", "symmetric")


@pytest.mark.parametrize("small_cache", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_the_reference_evaluator_reads_every_way_alike(
    way: str, small_cache: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random trees with sets of codes; ONNX Runtime and onnx's own evaluator answer like a walk down the arrays."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    monkeypatch.setattr(ensemble, "NODES_AT_ONCE", 30 if small_cache else 2**15)
    monkeypatch.setattr(ensemble, "TARGETS_APART", 1 if way == "targets together" else 32)
    for seed in range(4):
        trees, targets = a_way_of_writing(way, np.random.default_rng(seed))
        x = rows(np.random.default_rng(seed), trees, 60)
        x = np.where(np.abs(x) > 1e9, 3.5, x)  # the evaluator in Python casts codes beyond an integer as it likes
        each = way == "each tree"
        model = written(trees, WIDTH, "float64", "float64", targets, each)
        if each:
            want = np.hstack([walk(replace(trees, roots=trees.roots[[i]]), x, 1) for i in range(targets)])
        else:
            want = walk(trees, x, targets)
        theirs = ReferenceEvaluator(onnx.load_model_from_string(model)).run(None, {"X": x})[0]
        np.testing.assert_allclose(theirs, want, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(run(trees, x, "float64", "float64", targets, each), want, rtol=1e-13, atol=1e-13)


def a_way_of_writing(way: str, rng: np.random.Generator) -> tuple[Trees, int]:
    if way == "symmetric":
        return symmetric(rng, [2, 4, 0, 4]), 1
    trees = grow(rng, 9, 4, True)
    if way in ("targets apart", "targets together"):
        return replace(trees, target=tree_of(trees) % 3, targets=3), 3
    if way == "mixed targets":
        return replace(trees, target=rng.integers(3, size=len(trees.feature)), targets=3), 3
    if way == "vectors":
        return replace(trees, leaf=rng.normal(size=(len(trees.feature), 3)), targets=3), 3
    return trees, 9 if way == "each tree" else 1


def test_a_target_without_trees_is_zero() -> None:
    rng = np.random.default_rng(5)
    trees = grow(rng, 4, 3, False)
    trees = replace(trees, target=np.full(len(trees.feature), 1), targets=3)
    x = rows(rng, trees, 20)
    np.testing.assert_allclose(run(trees, x, "float64", "float64", 3), walk(trees, x, 3), rtol=1e-13, atol=1e-13)


def test_lists_each_threshold_once_and_no_codes() -> None:
    trees = grow(np.random.default_rng(3), 8, 5, True)
    want: list[set[float]] = [set() for _ in range(WIDTH)]
    for node, feature in enumerate(trees.feature):
        if feature >= 0 and node not in (trees.category or {}) and trees.threshold[node] < np.inf:
            want[feature].add(float(trees.threshold[node]))
    assert unique_thresholds(trees, WIDTH) == [sorted(each) for each in want]
    assert not any(want[feature] for feature in CATEGORICAL) and all(want[:2])


def test_finds_distinct_rows() -> None:
    rows = np.random.default_rng(4).integers(0, 3, (500, 4)) / 3
    found, place = distinct_rows(rows)
    np.testing.assert_array_equal(found[place], rows)
    assert len(found) == len({tuple(row) for row in rows.tolist()})
    np.testing.assert_array_equal(found[0], rows[0])
