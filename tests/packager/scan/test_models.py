"""Real models: the scan lets them through, and sees exactly the names that really loading them looks up."""

from __future__ import annotations

import pickle
import time
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401  (listed only then)
from sklearn.utils import all_estimators

from mlpack_toolkit.converters._trust.guard import Trusted
from mlpack_toolkit.converters._trust.loading import load_joblib, load_pickle
from mlpack_toolkit.packager.scan import Scan, require_trusted, scan

from .estimators import assemblies, boosters, fitted
from .recorder import record_joblib, record_pickle

UNFIT = {"FrozenEstimator", "KernelCenterer", "SparseCoder"}
"""Estimators that fit on none of the small sets."""


def trusted(found: Scan) -> Trusted:
    """The names that the guard may look up."""
    return Trusted(found.names, found.own, found.referred)


def check(model: Any, folder: Path, protocols: tuple[int, ...] = (0, 2, 4, 5)) -> None:
    for protocol in protocols:
        path = folder / f"{protocol}.bin"
        path.write_bytes(pickle.dumps(model, protocol))
        found = scan(path)
        assert (found.kind, found.refused) == ("pickle", ())
        assert set(found.names) == record_pickle(path.read_bytes())[1]
        assert type(load_pickle(path, trusted(found))) is type(model)
        require_trusted(found, path)
    for how in ({}, {"protocol": 2}, {"compress": 3}):
        joblib.dump(model, folder / "j.bin", **how)
        found = scan(folder / "j.bin")
        assert found.refused == ()
        assert set(found.names) == record_joblib(folder / "j.bin")[1]
        assert found.forbidden == "" and type(load_joblib(folder / "j.bin", trusted(found))) is type(model)


@pytest.mark.parametrize("name, cls", [pair for pair in all_estimators() if pair[0] not in UNFIT])
def test_every_estimator_is_allowed_and_read_exactly(tmp_path: Path, name: str, cls: type) -> None:
    model = fitted(cls)
    assert model is not None
    check(model, tmp_path)
    found = scan(tmp_path / "5.bin")
    assert found.root == f"{cls.__module__}.{name}"
    assert found.versions["scikit-learn"] == __import__("sklearn").__version__
    assert "sklearn" in found.packages


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return boosters() | assemblies()


@pytest.mark.parametrize(
    "name",
    [
        "XGBClassifier",
        "XGBRegressor",
        "XGBRFClassifier",
        "xgboost.Booster",
        "LGBMClassifier",
        "LGBMRegressor",
        "lightgbm.Booster",
        "CatBoostClassifier",
        "CatBoostRegressor",
        "CatBoost",
        "pipeline",
        "pandas output",
        "search",
        "partial",
        "random states",
        "arrays",
        "record",
        "object record",
    ],
)
def test_boosters_and_assemblies_are_allowed_and_read_exactly(
    tmp_path: Path, models: dict[str, Any], name: str
) -> None:
    check(models[name], tmp_path)


@pytest.mark.parametrize("method", ["zlib", "gzip", "bz2", "lzma", "xz"])
def test_a_compressed_model_is_read_through_its_compression(tmp_path: Path, method: str) -> None:
    path = tmp_path / "m.pkl"
    joblib.dump({"a": np.arange(10_000.0), "b": np.array([{}], object)}, path, compress=(method, 3))
    found = scan(path)
    assert (found.kind, found.root, found.refused) == ("joblib", "builtins.dict", ())
    assert "joblib.numpy_pickle.NumpyArrayWrapper" in found.names


ARRAYS = [
    np.arange(7),
    np.arange(12.0).reshape(3, 4).T,
    np.asfortranarray(np.ones((2, 3, 4), np.float32)),
    np.array(5),
    np.zeros((0, 3)),
    np.array(["a", "bcd"]),
    np.array([b"xy"]),
    np.array([1, 2], ">i8"),
    np.array(["2020"], "M8[ns]"),
    np.array([True]),
    np.array([1j]),
    np.array([1, "a", None, (2,)], object),
    np.zeros(3, [("a", "u1"), ("b", ">f4", (2, 2)), ("c", [("d", "U3")])]),
    np.matrix([[1, 2]]),
    np.array([(1, [])], [("a", "i4"), ("b", "O")]),
    np.frombuffer(b"cos\nsystem\n(S'id'\ntR." * 40, np.uint8),
]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype.str}{a.shape}")
def test_arrays_of_every_layout_are_passed_over_exactly(tmp_path: Path, array: Any, protocol: int) -> None:
    path = tmp_path / "a.bin"
    joblib.dump([array, array, {"next": array}, "end"], path, protocol=protocol)
    found = scan(path)
    assert found.refused == ()
    assert set(found.names) == record_joblib(path)[1]


def test_an_array_that_joblib_padded_at_any_offset_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    for length in range(40):
        joblib.dump(["x" * length, np.arange(3.0)], path)
        assert scan(path).refused == ()


def test_a_large_forest_takes_well_under_a_second(tmp_path: Path) -> None:
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier

    x, y = make_classification(12_000, 12, n_informative=8, n_classes=3, flip_y=0.3, random_state=0)
    forest = RandomForestClassifier(320, max_depth=12, max_samples=0.6, n_jobs=2, random_state=0).fit(x, y)
    for path, dump in ((tmp_path / "f.pkl", pickle.dump), (tmp_path / "f.joblib", joblib.dump)):
        with path.open("wb") as file:
            dump(forest, file)
        assert path.stat().st_size > 36e6
        start = time.process_time()
        assert scan(path).refused == ()
        assert time.process_time() - start < 1
