"""Real models that refuse small numbers: the bound is found at the last digit, wherever the refusing step stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, MinMaxScaler, PowerTransformer, StandardScaler

from mlpack_toolkit.converters._worker.session import ModelSession
from mlpack_toolkit.converters.messages import Probe
from mlpack_toolkit.converters.sklearn import CONVERTER
from mlpack_toolkit.converters.spec import TensorSpec
from mlpack_toolkit.converters.table import write_table
from mlpack_toolkit.packager.equivalence.probes import Probes
from mlpack_toolkit.packager.equivalence.refusals import with_rules

FLOWERS, KINDS = load_iris(return_X_y=True)
FRAME = pd.DataFrame(FLOWERS, columns=list("abcd")).assign(b=(FLOWERS[:, 1] * 10).astype(np.int64))


def positive() -> PowerTransformer:
    return PowerTransformer(method="box-cox")


def ruled(model: Any, example: Any, folder: Path) -> tuple[TensorSpec, ...]:
    """The inputs with the rules that the model's own refusals lead to."""
    matrix = isinstance(example, np.ndarray)
    table = {"X": example} if matrix else {str(n): example[n].to_numpy() for n in example}
    write_table(table, folder / "example.npz")
    session = ModelSession()
    session.model, session.converter, session.description = model, CONVERTER, CONVERTER.original.describe(model)
    reply = session.probe(Probe(str(folder / "example.npz"), str(folder)))
    return with_rules(session.signature, Probes.read(folder, reply)).inputs


@pytest.mark.parametrize(
    "model",
    [positive(), make_pipeline(SimpleImputer(), positive())],
    ids=["alone", "imputed"],
)
def test_positive_numbers_only(model: Any, tmp_path: Path) -> None:
    (x,) = ruled(model.fit(FLOWERS), FLOWERS, tmp_path)
    assert (x.least, x.most) == (5e-324, None)


def test_the_smallest_that_a_division_leaves_above_zero(tmp_path: Path) -> None:
    (x,) = ruled(make_pipeline(MaxAbsScaler(), positive()).fit(FLOWERS), FLOWERS, tmp_path)
    largest = FLOWERS.max(axis=0)
    for column, scale in zip(x.features, largest, strict=True):
        assert column.least is not None
        assert column.least / scale > 0
        assert column.least < 1e-322


def test_behind_a_scaler_the_bound_is_in_the_units_of_the_column(tmp_path: Path) -> None:
    model = make_pipeline(MinMaxScaler((0.1, 1)), positive()).fit(FLOWERS)
    (x,) = ruled(model, FLOWERS, tmp_path)
    for i, column in enumerate(x.features):
        at, below = (np.tile(FLOWERS[:1], (1, 1)) for _ in range(2))
        assert column.least is not None
        at[0, i], below[0, i] = column.least, np.nextafter(column.least, -np.inf)
        model.transform(at)
        with pytest.raises(ValueError, match="strictly positive"):
            model.transform(below)


def test_columns_by_name_each_with_its_own_bound(tmp_path: Path) -> None:
    chosen = make_column_transformer((positive(), ["b", "c"]), (StandardScaler(), ["a"]))
    model = make_pipeline(chosen, LogisticRegression()).fit(FRAME, KINDS)
    found = {t.name: t.least for t in ruled(model, FRAME, tmp_path)}
    assert found == {"a": None, "b": 1.0, "c": 5e-324, "d": None}


def test_side_by_side(tmp_path: Path) -> None:
    model = make_union(StandardScaler(), positive()).fit(FLOWERS)
    assert ruled(model, FLOWERS, tmp_path)[0].least == 5e-324


@pytest.mark.parametrize(("function", "least"), [(np.log, 5e-324), (np.log1p, -1 + 2**-53), (np.sqrt, 0.0)])
def test_where_nothing_knows_the_bound_the_original_is_asked(function: Any, least: float, tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(function), LogisticRegression()).fit(FLOWERS, KINDS)
    assert ruled(model, FLOWERS, tmp_path)[0].least == least


def test_whole_numbers_and_numbers_from_above(tmp_path: Path) -> None:
    root = make_column_transformer((FunctionTransformer(lambda x: np.sqrt(45 - x)), ["b"]), (StandardScaler(), ["a"]))
    model = make_pipeline(root, LogisticRegression()).fit(FRAME, KINDS)
    b = ruled(model, FRAME, tmp_path)[1]
    assert (b.least, b.most) == (None, 45.0)


def test_an_isolated_refusal_bounds_the_side_where_the_example_lies(tmp_path: Path) -> None:
    """The logarithm of 0 is infinite, which the forest refuses; that of -1 is NaN, which it answers."""
    forest = RandomForestClassifier(3, random_state=0)
    (x,) = ruled(make_pipeline(FunctionTransformer(np.log), forest).fit(FLOWERS, KINDS), FLOWERS, tmp_path)
    assert x.least == 5e-324


def test_a_bound_beyond_the_one_that_is_known(tmp_path: Path) -> None:
    """To a negative power even a small positive number is infinite."""
    wines, kinds = load_wine(return_X_y=True)
    model = make_pipeline(positive(), LogisticRegression(max_iter=1000)).fit(wines, kinds)
    least = [column.least or 0 for column in ruled(model, wines, tmp_path)[0].features]
    assert model[0].lambdas_[4] < -1 and least[4] > 1e-300
    assert model[0].lambdas_[3] > 0 and least[3] == 5e-324
    row = wines[:1].copy()
    row[0, 4] = least[4]
    model.predict(row)
    row[0, 4] = np.nextafter(least[4], 0)
    with pytest.raises(ValueError, match="infinity"):
        model.predict(row)


def test_a_step_that_refuses_nothing_has_no_bound(tmp_path: Path) -> None:
    (x,) = ruled(PowerTransformer().fit(FLOWERS), FLOWERS, tmp_path)
    assert (x.least, x.most, x.limit) == (None, None, 1e30)
