"""imbalanced-learn: samplers do nothing to rows that are answered, ensembles answer as the class that they extend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from imblearn.combine import SMOTETomek
from imblearn.ensemble import (
    BalancedBaggingClassifier,
    BalancedRandomForestClassifier,
    EasyEnsembleClassifier,
    RUSBoostClassifier,
)
from imblearn.over_sampling import ADASYN, SMOTE, RandomOverSampler
from imblearn.pipeline import make_pipeline
from imblearn.under_sampling import RandomUnderSampler, TomekLinks
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from mlpack_toolkit.packager.scan import require_trusted, scan
from tests.converters.check import assert_same
from tests.make import build_model, save

FRAME = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 3)), columns=["a", "b", "c"])
Y = np.where(FRAME["a"] + FRAME["b"] > 1.2, "rare", "common")
SAMPLERS = (
    SMOTE(k_neighbors=3),
    ADASYN(n_neighbors=3),
    SMOTETomek(),
    RandomOverSampler(),
    RandomUnderSampler(),
    TomekLinks(),
)
ENSEMBLES = (
    BalancedRandomForestClassifier(5),
    EasyEnsembleClassifier(3),
    RUSBoostClassifier(n_estimators=4),
    BalancedBaggingClassifier(LogisticRegression(), n_estimators=3),
)


def _named(each: Any) -> str:
    return type(each).__name__


def _holds(model: Any, folder: Path) -> None:
    """Whether the graph answers as the fitted model, and the scan lets the saved model through."""
    model.fit(FRAME, Y)
    assert_same(model, FRAME)
    path, _ = save(model, FRAME, folder)
    require_trusted(scan(path, ()), path)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=_named)
def test_a_sampler_in_a_pipeline(sampler: Any, tmp_path: Path) -> None:
    _holds(make_pipeline(StandardScaler(), sampler, LogisticRegression()), tmp_path)


@pytest.mark.parametrize("model", ENSEMBLES, ids=_named)
def test_an_ensemble(model: Any, tmp_path: Path) -> None:
    _holds(model, tmp_path)


def test_a_bundle_of_a_sampler_at_the_front(tmp_path: Path) -> None:
    model = make_pipeline(RandomUnderSampler(), StandardScaler(), SMOTE(k_neighbors=3), LogisticRegression())
    built = build_model(*save(model.fit(FRAME, Y), FRAME, tmp_path), tmp_path / "dist")
    assert built.verification.equal and [t.name for t in built.signature.inputs] == ["a", "b", "c"]
