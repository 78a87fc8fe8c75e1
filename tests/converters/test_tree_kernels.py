"""mlpack's own operators for trees: the bits of the originals, at every threshold, beside it, and for odd cells."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnx
import pytest

from mlpack_toolkit.converters._graph.builder import GraphBuilder
from mlpack_toolkit.converters._trees.arrays import Trees, with_base
from mlpack_toolkit.converters._trees.ensemble_sum import tree_sum
from mlpack_toolkit.converters._trees.kernel import DOMAIN, kernels
from mlpack_toolkit.converters.spec import TensorSpec
from mlpack_toolkit.packager.kernels import library
from tests.converters.test_trees import FORMS, WIDTH, grow, rows, seen, walk

Array = np.ndarray[Any, Any]
Sums = Callable[[Array], Array]
COLUMNS = 8
BATCHES = (1, 5, 6, 31, 33, 130, 1000)
"""Either side of where a kernel, a tile of rows and a block of tiles begin."""


def sums_of(
    path: Path, trees: Trees, x: str, compare: str, sums: str = "", real: str = "", width: int = COLUMNS
) -> Sums:
    """The sums by a graph of one operator; `x`: the type of the cells, `sums`: of the sums, as for `tree_sum`."""
    graph = GraphBuilder(sums or x)
    value = graph.input(TensorSpec("x", x, ("N", width)))
    with kernels(True) as made:
        name = tree_sum(graph, trees, value, compare, sums)
    assert (made.nodes, made.left_out) == (1, [])
    graph.output("sum", name, sums or graph.real, ("N", trees.targets))
    graph.write(path)
    assert DOMAIN.encode() in path.read_bytes()
    session = opened(path)
    return lambda cells: np.asarray(session.run(None, {"x": cells})[0])


def opened(path: Path) -> Any:
    """A session with the operators, on two threads."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 4
    options.register_custom_ops_library(str(library().path))
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def edges(trees: Trees, dtype: str, count: int = 1200) -> Array:
    """Rows of cells at thresholds and their float neighbours; some missing, infinite, zero or beyond float32."""
    rng = np.random.default_rng(1)
    kind = np.dtype(dtype).type
    x = rng.normal(size=(count, COLUMNS)).astype(dtype)
    inner = np.flatnonzero(trees.feature >= 0)
    with np.errstate(over="ignore"):
        near = trees.threshold[inner].astype(dtype)
        beside = np.stack([near, np.nextafter(near, kind(-np.inf)), np.nextafter(near, kind(np.inf))])
    for row in x[: count * 3 // 4]:
        chosen = rng.integers(len(inner), size=6)
        row[trees.feature[inner[chosen]]] = beside[rng.integers(3, size=6), chosen]
    odd = np.array([np.nan, np.nan, np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-36, 3e38, -3e38], dtype)
    hit = rng.random(x.shape) < 0.2
    hit[: count // 3] = False
    x[hit] = rng.choice(odd, hit.sum())
    return x


def assert_same_bits(sums: Sums, x: Array, want: Array) -> None:
    """The same in batches of many sizes; a NaN nowhere."""
    want = np.asarray(want).reshape(len(x), -1)
    for size in BATCHES:
        few = x[: 200 if size == 1 else len(x)]
        got = np.concatenate([sums(np.ascontiguousarray(few[i : i + size])) for i in range(0, len(few), size)])
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want[: len(few)], err_msg=f"batches of {size}")


def fitted_on(missing: float, rows: int = 1500) -> tuple[Array, Array, Array]:
    """Cells, numbers and labels."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, COLUMNS))
    y = x[:, 0] * x[:, 1] + np.sin(3 * x[:, 2]) + x[:, 3:].sum(axis=1) * 0.3
    x[rng.random(x.shape) < missing] = np.nan
    y += 3 * np.isnan(x[:, 4])  # so that trees part missing cells from all others
    return x, y, np.digitize(y, np.quantile(y, [0.3, 0.7]))


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("depth", [3, 6, 10])
def test_xgboost(several: bool, depth: int, tmp_path: Path) -> None:
    import xgboost

    from mlpack_toolkit.converters.xgboost.reader import parsed

    x, y, label = fitted_on(0.05)
    given = {"max_depth": depth, "nthread": 1, "eta": 0.3, "base_score": 0.3}
    given |= {"objective": "multi:softprob", "num_class": 3} if several else {}
    booster = xgboost.train(given, xgboost.DMatrix(x.astype("f4"), label if several else y), 13)
    content = parsed(booster, 0)
    assert content.trees is not None
    trees = with_base(content.trees, content.base.tolist())
    sums = sums_of(tmp_path / "m.onnx", trees, "float32", "float32", "float32")
    cells = edges(content.trees, "float32")
    cells[np.isinf(cells)] = np.float32(3.4e38)  # which xgboost refuses
    assert_same_bits(sums, cells, booster.inplace_predict(cells, predict_type="margin"))


@pytest.mark.parametrize(
    "given",
    [
        {"use_missing": True},
        {"zero_as_missing": True},
        {"use_missing": False},
        {"objective": "multiclass", "num_class": 3},
        {"num_leaves": 200},
        {"num_leaves": 400, "min_data_in_leaf": 2},
    ],
    ids=str,
)
def test_lightgbm(given: dict[str, Any], tmp_path: Path) -> None:
    import lightgbm

    from mlpack_toolkit.converters.lightgbm.reader import ZERO, parsed

    x, y, label = fitted_on(0.05)
    x[::9, 3] = 0
    data = lightgbm.Dataset(x, label if "num_class" in given else y)
    fitted = lightgbm.train({"num_leaves": 31, "num_threads": 1, "verbose": -1, **given}, data, 11)
    booster = lightgbm.Booster(model_str=fitted.model_to_string())
    content = parsed(booster)
    assert content.trees is not None
    if given == {"use_missing": True}:
        assert np.isinf(content.trees.threshold).any()  # +inf goes left there, as every other number
    sums = sums_of(tmp_path / "m.onnx", content.trees, "float64", "float64")
    cells = edges(content.trees, "float64")
    ready = cells.copy()
    for column in content.zero_missing:
        ready[np.abs(ready[:, column]) <= ZERO, column] = np.nan
    want = booster.predict(cells, num_threads=1, raw_score=True)
    assert_same_bits(sums, ready, np.asarray(want))


@pytest.mark.parametrize(
    ("kind", "nan_mode", "depth"), [("r", "Min", 6), ("c", "Max", 4), ("r", "Max", 9), ("r", "Min", 1)]
)
def test_catboost(kind: str, nan_mode: str, depth: int, tmp_path: Path) -> None:
    import catboost

    from mlpack_toolkit.converters.catboost.reader import parse

    x, y, label = fitted_on(0.05)
    quiet = {"verbose": False, "thread_count": 1, "allow_writing_files": False, "nan_mode": nan_mode}
    made = catboost.CatBoostClassifier if kind == "c" else catboost.CatBoostRegressor
    model = made(iterations=12, depth=depth, **quiet).fit(x.astype("f4"), label if kind == "c" else y)
    content = parse(model)
    sums = sums_of(tmp_path / "m.onnx", content.trees, "float32", "float32", "float64")
    cells = edges(content.trees, "float32")
    want = model.predict(cells, thread_count=1, prediction_type="RawFormulaVal")
    assert_same_bits(lambda x: sums(x) * content.scale + np.array(content.bias), cells, want)


@pytest.mark.parametrize("depth", [3, 7, 14])
@pytest.mark.parametrize("classifies", [False, True])
def test_forest_of_sklearn(classifies: bool, depth: int, tmp_path: Path) -> None:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    from mlpack_toolkit.converters.sklearn._tree_export import forest, shares, single_values

    x, y, label = fitted_on(0.05)
    made = RandomForestClassifier if classifies else RandomForestRegressor
    model = made(11, max_depth=depth, random_state=0, n_jobs=1).fit(x, label if classifies else y)
    parts = [each.tree_ for each in model.estimators_]
    trees = forest(parts, shares(parts), targets=3) if classifies else forest(parts, single_values(parts))
    sums = sums_of(tmp_path / "m.onnx", trees, "float32", "float32", "float64")
    cells = edges(trees, "float32")
    cells[np.isinf(cells)] = np.float32(3e38)  # which scikit-learn refuses
    want = model.predict_proba(cells) if classifies else model.predict(cells)
    assert_same_bits(lambda x: sums(x) / len(parts), cells, want)


@pytest.mark.parametrize("x", FORMS)
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("depth", [0, 2, 5, 9])
def test_random_trees_with_categories(x: str, strict: bool, depth: int, tmp_path: Path) -> None:
    """Sums of whole numbers, so that a plain walk has the same bits in any order."""
    rng = np.random.default_rng(depth)
    trees = replace(grow(rng, 20, depth, categories=True), strict=strict)
    trees = replace(trees, leaf=np.round(trees.leaf * 1000))
    cells = rows(rng, trees, 300)
    sums = sums_of(tmp_path / "m.onnx", trees, x, x, sums=x, width=WIDTH)
    assert_same_bits(sums, seen(cells, x, x).astype(x), walk(trees, seen(cells, x, x), 1).astype(x))


def _spoiled(path: Path, name: str, change: Callable[[Array], Array]) -> None:
    """Changes an attribute of the graph's node."""
    model = onnx.load(path)
    node = next(each for each in model.graph.node if each.domain == DOMAIN)
    attribute = next(each for each in node.attribute if each.name == name)
    array = np.array(onnx.numpy_helper.to_array(attribute.t))
    attribute.t.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(change(array)), ""))
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("right", lambda a: np.zeros_like(a), "a node is reached twice"),
        ("left", lambda a: a + 10**6, "a child is no node"),
        ("feature", lambda a: a + 10**6, "the column of a node is out of range"),
        ("roots", lambda a: a - 1, "the root of a tree is no node"),
        ("threshold", lambda a: a * np.float32(np.nan), "a threshold is NaN"),
        ("leaf", lambda a: a[:3], "the row of a leaf is out of range"),
        ("leaf", lambda a: a.astype("f8"), "an attribute has another element type"),
        ("leaf", lambda a: a.reshape(1, 1, -1), "more than two dimensions"),
        ("missing_left", lambda a: a[:-1], "the attributes have different lengths"),
        ("target", lambda a: a + 1, "the target of a tree is out of range"),
    ],
)
def test_a_strangers_arrays_are_refused_with_a_reason(name: str, change: Any, words: str, tmp_path: Path) -> None:
    trees = grow(np.random.default_rng(2), 9, 4, categories=False)
    sums = sums_of(tmp_path / "m.onnx", trees, "float32", "float32", "float32", width=WIDTH)
    with pytest.raises(Exception, match=r"Got invalid dimensions|another number of columns"):
        sums(np.zeros((3, WIDTH + 1), "f4"))
    _spoiled(tmp_path / "m.onnx", name, change)
    with pytest.raises(Exception, match=words):
        opened(tmp_path / "m.onnx")
