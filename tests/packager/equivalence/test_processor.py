"""Models whose own answers depend on the processor: refused with one reason under every kernel of linear algebra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import (
    calibration,
    cluster,
    decomposition,
    ensemble,
    gaussian_process,
    linear_model,
    neighbors,
    preprocessing,
    svm,
)
from sklearn.pipeline import make_pipeline

from mlpack_toolkit.converters.custom import CONVERTER as CUSTOM
from mlpack_toolkit.converters.sklearn import CONVERTER
from mlpack_toolkit.converters.spec import ALWAYS, NEVER, TIES
from mlpack_toolkit.packager.environments.system import kernels, machine
from mlpack_toolkit.packager.equivalence.processor import settings_for, wanted
from mlpack_toolkit.packager.errors import ConversionError
from tests.make import build_model, save

X = np.random.default_rng(0).normal(size=(60, 3))
HERE = [{"internal_api": "openblas", "user_api": "blas", "architecture": "Haswell"}]
FUSED = pytest.mark.skipif(not {"avx2", "fma"} <= set(machine()["cpu_flags"]), reason="this processor fuses no steps")


def line() -> tuple[Any, Any]:
    """0.1 + 0.2 - 0.3 is above, at or below 0, as the kernel fuses and orders the steps: the sign is the label."""
    model = linear_model.LogisticRegression().fit(X, X.sum(axis=1) > 0)
    model.coef_, model.intercept_ = np.array([[0.1, 0.2, -0.3]]), np.zeros(1)
    return model, np.vstack([X, np.arange(1, 12)[:, None] * np.ones(3)])


def centres() -> tuple[Any, Any]:
    """Rows as far from the one centre as from the other."""
    model = cluster.KMeans(2, n_init=1, random_state=0).fit(X)
    model.cluster_centers_ = np.array([[0.1, 0.7, 0.3], [0.7, 0.1, 0.3]])
    return model, np.vstack([X[:, [0, 0, 1]], X])


@FUSED
@pytest.mark.parametrize("made", [line, centres])
@pytest.mark.parametrize("kernel", ["Haswell", "Nehalem"])
def test_a_model_that_its_own_last_bits_decide_is_refused_under_every_kernel(
    made: Any, kernel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", kernel)
    with pytest.raises(
        ConversionError, match=rf"on another processor \(with OpenBLAS \w+ in place of OpenBLAS {kernel}"
    ):
        build_model(*save(*made(), tmp_path), tmp_path / "dist")


@FUSED
def test_differences_within_the_tolerance_stand_in_the_report(tmp_path: Path) -> None:
    model = gaussian_process.GaussianProcessRegressor(alpha=1e-2).fit(X, X.sum(axis=1))
    built = build_model(*save(model, X, tmp_path), tmp_path / "dist")
    again = built.to_json()["verification"]["other_processor"]
    assert again["rows"] > 60 and 0 < again["share"] < 1
    assert again["here"] != again["there"]
    assert "On another processor (OpenBLAS" in (built.bundle / "evidence" / "report.html").read_text()


def test_a_model_without_matrix_products_is_asked_once(tmp_path: Path) -> None:
    model = ensemble.RandomForestClassifier(3, random_state=0).fit(X, X[:, 0] > 0)
    built = build_model(*save(model, X, tmp_path), tmp_path / "dist")
    assert "other_processor" not in built.to_json()["verification"]


def test_what_a_model_decides_by() -> None:
    y = X[:, 0] > 0
    trees = ensemble.HistGradientBoostingClassifier(max_iter=2)
    said = {
        NEVER: [trees, make_pipeline(preprocessing.StandardScaler(), ensemble.BaggingClassifier(n_estimators=2))],
        TIES: [linear_model.Perceptron(), svm.LinearSVC(), make_pipeline(decomposition.PCA(2), linear_model.Ridge())],
        ALWAYS: [
            cluster.KMeans(2, n_init=1),
            make_pipeline(decomposition.PCA(2), trees),
            ensemble.StackingClassifier([("a", svm.SVC())], final_estimator=trees, cv=2),
            ensemble.VotingClassifier([("a", neighbors.KNeighborsClassifier(algorithm="brute"))]),
            ensemble.BaggingClassifier(neighbors.NearestCentroid(), n_estimators=2),
            calibration.CalibratedClassifierCV(neighbors.KNeighborsClassifier(algorithm="brute"), cv=2),
            make_pipeline(linear_model.Ridge()).set_params(ridge=neighbors.KNeighborsRegressor(algorithm="brute")),
            make_pipeline(decomposition.PCA(2), preprocessing.KBinsDiscretizer(3), linear_model.LogisticRegression()),
        ],
    }
    for expected, models in said.items():
        for model in models:
            assert CONVERTER.original.processor(model.fit(X, y)) == expected, model
    assert CONVERTER.original.processor(neighbors.KNeighborsClassifier(algorithm="kd_tree").fit(X, y)) == NEVER
    assert CUSTOM.original.processor(object()) == TIES


def test_equal_scores_are_asked_about_again() -> None:
    apart = {"label": np.array([0, 1]), "probabilities": np.array([[0.6, 0.4], [0.2, 0.8]])}
    assert wanted(ALWAYS, apart) and not wanted(TIES, apart) and not wanted(NEVER, apart)
    for name, scores in {
        "probabilities": [[0.4, 0.2, 0.4], [0.2, 0.2, 0.6]],
        "decision": [1e-17, -3.0],
    }.items():
        near = {**apart, name: np.array(scores)}
        assert wanted(TIES, near) and not wanted(NEVER, near)
    assert not wanted(TIES, {"decision": np.array([np.nan, 2.0, -np.inf]), "probabilities": np.empty((0, 2))})
    assert not wanted(TIES, {"prediction": np.zeros(3)})


def test_the_other_kernel_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("mlpack_toolkit.packager.equivalence.processor.machine", lambda: {"cpu_flags": ["avx2", "fma"]})

    def taken(*here: str) -> str:
        return settings_for([{**HERE[0], "architecture": name} for name in here])["OPENBLAS_CORETYPE"]

    assert [taken(), taken("Haswell"), taken("SkylakeX", "Nehalem"), taken("Zen")] == ["Prescott"] * 4
    assert [taken("Nehalem"), taken("Katmai", "Sandybridge")] == ["Haswell"] * 2
    monkeypatch.setattr("mlpack_toolkit.packager.equivalence.processor.machine", lambda: {"cpu_flags": []})
    assert [taken("Nehalem"), taken("Katmai")] == ["Prescott", "Nehalem"]
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert settings_for(HERE) == {"OPENBLAS_CORETYPE": "ARMV8"}


def test_kernels_by_name() -> None:
    simd = {"user_api": "simd", "internal_api": "numpy", "architecture": "X86_V3"}
    assert (
        kernels([*HERE, *HERE, simd, {"user_api": "openmp", "internal_api": "openmp"}])
        == "OpenBLAS Haswell, numpy X86_V3"
    )
    assert kernels([{"user_api": "blas", "internal_api": "mkl"}]) == "mkl"
    assert kernels([]) == "unknown"
