"""A model that another scikit-learn saved: exit 3, both versions named, and what to do."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn

from mlpack_toolkit.packager.errors import ModelError
from mlpack_toolkit.packager.scan import scan
from tests.make import build_model

X, Y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2


@pytest.fixture
def saved_by(monkeypatch: pytest.MonkeyPatch) -> Any:
    def dump(model: Any, version: str) -> bytes:
        with monkeypatch.context() as patch:
            patch.setattr("sklearn.base.__version__", version)
            return pickle.dumps(model.fit(X, Y))

    return dump


def _refusal(content: bytes, folder: Path) -> str:
    (folder / "model.pkl").write_bytes(content)
    np.save(folder / "X.npy", X)
    with pytest.raises(ModelError) as caught:
        build_model(folder / "model.pkl", folder / "X.npy", folder / "dist")
    assert not (folder / "dist").exists()
    return str(caught.value)


@pytest.mark.parametrize("version", ["1.1.3", "99.0"])
def test_a_model_that_loads_with_a_warning(version: str, saved_by: Any, tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    said = _refusal(saved_by(LogisticRegression(), version), tmp_path)
    assert f"saved by scikit-learn {version}, this interpreter has {sklearn.__version__}" in said
    assert "--python" in said and f"scikit-learn=={version}" in said


def test_a_model_that_the_installed_version_cannot_load(saved_by: Any, tmp_path: Path) -> None:
    """The nodes of a tree had other fields before 1.3."""
    from sklearn.tree import DecisionTreeClassifier

    content = saved_by(DecisionTreeClassifier(), "1.1.3").replace(b"missing_go_to_left", b"missing_go_to_west")
    said = _refusal(content, tmp_path)
    assert f"saved by scikit-learn 1.1.3, this interpreter has {sklearn.__version__}" in said
    assert "incompatible dtype" in said


def test_names_of_former_versions_are_trusted(tmp_path: Path) -> None:
    """Boosting pickles of scikit-learn 1.5 to 1.7 call the module of losses `_loss`."""
    from sklearn.ensemble import GradientBoostingRegressor

    present = pickle.dumps(GradientBoostingRegressor(n_estimators=2).fit(X, Y), protocol=2)
    assert b"csklearn._loss._loss\nCyHalfSquaredError\n" in present
    former = present.replace(b"csklearn._loss._loss\nCyHalfSquaredError\n", b"c_loss\nCyHalfSquaredError\n")
    (tmp_path / "model.pkl").write_bytes(former)
    found = scan(tmp_path / "model.pkl")
    assert "_loss.CyHalfSquaredError" in found.names and not found.refused
