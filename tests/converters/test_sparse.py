"""Models fitted on sparse matrices, and sparse steps inside pipelines: a cell that is left out is not always a 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import BaggingClassifier, HistGradientBoostingClassifier, IsolationForest, StackingClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MaxAbsScaler,
    Normalizer,
    OneHotEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from mlpack_toolkit.converters._worker.sparse_input import NO_CELL, NO_SPARSE, SAME
from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import table_of
from tests.converters.proving import held

RNG = np.random.default_rng(0)
ROWS = 240


def _numbers(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=(ROWS, 6))
    dense[rng.random(dense.shape) < 0.6] = 0.0
    return dense


DENSE = _numbers(1)
FRESH = csr_matrix(_numbers(2))
SPARSE = csr_matrix(DENSE)
LABEL = ((DENSE[:, 0] > 0) * 1 + (DENSE[:, 1] == 0) * 1 + (DENSE[:, 2] < 0) * 1) % 2
WORDS = [
    "red",
    "green",
    "blue",
    "dog",
    "cat",
    "sun",
    "moon",
    "fast",
    "slow",
    "big",
    "small",
    "old",
    "new",
    "hot",
    "cold",
]
TEXTS = [" ".join(RNG.choice(WORDS, RNG.integers(1, 6))) for _ in range(ROWS)]
TONE = np.array([("red" in text) ^ ("cat" in text) for text in TEXTS]).astype(int)
FRAME = pd.DataFrame(
    {"city": RNG.choice([f"k{i}" for i in range(40)], ROWS), "a": DENSE[:, 0], "b": DENSE[:, 1], "text": TEXTS}
)
KIND = ((FRAME.city.str[1:].astype(int) % 3 == 0) ^ (FRAME.a > 0)).astype(int)


def xgb(**options: Any) -> Any:
    import xgboost

    return xgboost.XGBClassifier(n_estimators=8, max_depth=3, n_jobs=1, **options)


def lgb(**options: Any) -> Any:
    import lightgbm

    return lightgbm.LGBMClassifier(n_estimators=8, n_jobs=1, verbose=-1, min_child_samples=5, **options)


def _positive(matrix: Any) -> Any:
    return abs(matrix)


SPARSE_MODELS: dict[str, Callable[[], Any]] = {
    "alone": lambda: xgb().fit(SPARSE, LABEL),
    "scaled by the largest": lambda: make_pipeline(MaxAbsScaler(), xgb()).fit(SPARSE, LABEL),
    "scaled": lambda: make_pipeline(StandardScaler(with_mean=False), xgb()).fit(SPARSE, LABEL),
    "scaled robustly": lambda: make_pipeline(RobustScaler(with_centering=False), xgb()).fit(SPARSE, LABEL),
    "calibrated": lambda: CalibratedClassifierCV(xgb(), cv=2).fit(SPARSE, LABEL),
    "bagged": lambda: BaggingClassifier(xgb(), n_estimators=3, max_features=4, random_state=0).fit(SPARSE, LABEL),
    "stacked": lambda: StackingClassifier([("a", LogisticRegression())], xgb(), passthrough=True).fit(SPARSE, LABEL),
    "chosen": lambda: make_pipeline(SelectKBest(k=4), xgb()).fit(SPARSE, LABEL),
    "normalised": lambda: make_pipeline(Normalizer(), xgb()).fit(SPARSE, LABEL),
    "products": lambda: make_pipeline(PolynomialFeatures(2), xgb()).fit(SPARSE, LABEL),
    "side by side": lambda: make_pipeline(make_union(MaxAbsScaler(), Binarizer(threshold=0.5)), xgb()).fit(
        SPARSE, LABEL
    ),
    "lightgbm": lambda: make_pipeline(MaxAbsScaler(), lgb()).fit(SPARSE, LABEL),
    "lightgbm, 0 as missing": lambda: lgb(zero_as_missing=True).fit(SPARSE, LABEL),
    "linear": lambda: make_pipeline(MaxAbsScaler(), LogisticRegression()).fit(SPARSE, LABEL),
}
TELLS = ("alone", "scaled by the largest", "scaled", "scaled robustly", "calibrated", "bagged", "chosen", "normalised")


@pytest.mark.parametrize("name", SPARSE_MODELS)
def test_answers_as_to_a_sparse_matrix(name: str) -> None:
    model = SPARSE_MODELS[name]()
    found = held(model, SPARSE)
    answers = found.to_matrix(FRESH.toarray())
    np.testing.assert_array_equal(answers["label"], model.predict(FRESH))
    np.testing.assert_allclose(answers["probabilities"], model.predict_proba(FRESH), rtol=1e-5, atol=1e-6)
    spec = found.proven.signature.inputs[0]
    assert spec.sparse
    if name in TELLS:
        assert (model.predict(FRESH) != model.predict(FRESH.toarray())).any(), (
            "a plain 0 is the same: the test is blind"
        )
        assert spec.absent and found.notes == [NO_CELL]
    if name == "linear":
        assert not spec.absent and found.notes == [SAME]


@pytest.mark.parametrize("names", [None, list("abcdef")])
def test_a_native_booster(names: list[str] | None) -> None:
    import xgboost

    options = {"objective": "binary:logistic", "max_depth": 3}
    model = xgboost.train(options, xgboost.DMatrix(SPARSE, LABEL, feature_names=names), 8)
    found = held(model, SPARSE)
    rows = FRESH.toarray()
    table = {"X": rows} if names is None else {name: rows[:, i] for i, name in enumerate(names)}
    want = model.predict(xgboost.DMatrix(FRESH, feature_names=names))
    np.testing.assert_allclose(found.answers(table)["probabilities"][:, 1], want, rtol=1e-5, atol=1e-6)


def test_missing_cells_of_a_sparse_matrix_are_filled_and_stay() -> None:
    matrix = SPARSE.copy()
    matrix.data = np.where(RNG.random(len(matrix.data)) < 0.2, np.nan, matrix.data)
    for options in ({"strategy": "median"}, {"add_indicator": True}):
        model = make_pipeline(SimpleImputer(**options), xgb()).fit(matrix, LABEL)
        answers = held(model, matrix).to_matrix(matrix.toarray())
        np.testing.assert_array_equal(answers["label"], model.predict(matrix))


def test_quantiles_leave_alone_what_a_sparse_matrix_leaves_out() -> None:
    matrix = _positive(SPARSE)
    model = make_pipeline(QuantileTransformer(n_quantiles=50), xgb()).fit(matrix, LABEL)
    rows = _positive(FRESH)
    np.testing.assert_array_equal(held(model, matrix).to_matrix(rows.toarray())["label"], model.predict(rows))


def test_a_missing_cell_in_a_tree_of_a_sparse_matrix_goes_right() -> None:
    model = IsolationForest(n_estimators=10, random_state=0).fit(SPARSE)
    rows = FRESH.toarray()[:50]
    rows[::2, 0] = np.nan
    got = held(model, SPARSE).to_matrix(rows)
    np.testing.assert_allclose(got["decision_function"], model.decision_function(csr_matrix(rows)), atol=1e-6)


def test_numbers_beside_zero_in_lightgbm() -> None:
    model = lgb().fit(SPARSE, LABEL)
    rows = np.zeros((4, 6))
    rows[:, 0] = [-1.0000000180025095e-35, 1.0000000180025095e-35, -1e-36, 0.0]
    got = held(model, SPARSE).to_matrix(rows)["probabilities"]
    np.testing.assert_allclose(got, model.predict_proba(csr_matrix(rows)), rtol=1e-9)
    assert (model.predict_proba(csr_matrix(rows))[0] != model.predict_proba(rows)[0]).any()


def test_stored_zeros_that_count_are_refused() -> None:
    stored = [[int(row), int(column)] for row, column in np.argwhere(DENSE == 0)[::2]]
    with pytest.raises(Unsupported, match=r"eliminate_zeros\(\)"):
        held(xgb().fit(SPARSE, LABEL), SPARSE, stored)
    assert held(LogisticRegression().fit(SPARSE, LABEL), SPARSE, stored).notes == [SAME]


def test_a_model_that_takes_no_sparse_matrix_is_asked_with_plain_rows() -> None:
    model = HistGradientBoostingClassifier(max_iter=8).fit(DENSE, LABEL)
    found = held(model, SPARSE)
    assert found.notes == [NO_SPARSE] and not found.proven.signature.inputs[0].sparse
    np.testing.assert_array_equal(found.to_matrix(FRESH.toarray())["label"], model.predict(FRESH.toarray()))


def _columns(**options: Any) -> Any:
    return make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["city"]), ("passthrough", ["a", "b"]), **options
    )


def _mixed() -> Any:
    encoder = OneHotEncoder(handle_unknown="ignore")
    return make_column_transformer((TfidfVectorizer(), "text"), (encoder, ["city"]), (StandardScaler(), ["a", "b"]))


def _plain(matrix: Any) -> Any:
    return matrix.toarray()


PIPELINES: dict[str, Callable[[], tuple[Any, Any, Any]]] = {
    "one-hot": lambda: (make_pipeline(_columns(), xgb()), FRAME[["city", "a", "b"]], KIND),
    "one-hot, plain": lambda: (make_pipeline(_columns(sparse_threshold=0), xgb()), FRAME[["city", "a", "b"]], KIND),
    "one-hot in a calibration": lambda: (
        CalibratedClassifierCV(make_pipeline(_columns(), xgb()), cv=2),
        FRAME[["city", "a", "b"]],
        KIND,
    ),
    "words": lambda: (make_pipeline(TfidfVectorizer(), xgb()), TEXTS, TONE),
    "counts": lambda: (make_pipeline(CountVectorizer(), xgb()), TEXTS, TONE),
    "hashes that cancel": lambda: (make_pipeline(HashingVectorizer(n_features=8), xgb()), TEXTS, TONE),
    "hashes, weighed": lambda: (
        make_pipeline(HashingVectorizer(n_features=8, norm=None), TfidfTransformer(), xgb()),
        TEXTS,
        TONE,
    ),
    "words, made plain": lambda: (
        make_pipeline(TfidfVectorizer(), FunctionTransformer(_plain, accept_sparse=True), xgb()),
        TEXTS,
        TONE,
    ),
    "text, categories, numbers": lambda: (make_pipeline(_mixed(), xgb()), FRAME, KIND),
    "one-hot before lightgbm": lambda: (make_pipeline(_columns(), lgb()), FRAME[["city", "a", "b"]], KIND),
    "text before lightgbm": lambda: (make_pipeline(_mixed(), lgb()), FRAME, KIND),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_a_sparse_step_before_a_booster(name: str) -> None:
    model, example, target = PIPELINES[name]()
    model.fit(example, target)
    got = held(model, example).answers(table_of(example))
    np.testing.assert_array_equal(got["label"], model.predict(example))
    np.testing.assert_allclose(got["probabilities"], model.predict_proba(example), rtol=1e-5, atol=1e-6)


def test_a_cell_that_only_float32_rounds_to_zero_is_held() -> None:
    found = held(xgb().fit(SPARSE, LABEL), SPARSE)
    rows = _numbers(3)
    rows[rows == 0] = np.where(RNG.random((rows == 0).sum()) < 0.5, 1e-60, 0.0)
    want = xgb().fit(SPARSE, LABEL).predict_proba(csr_matrix(rows))
    assert not np.allclose(want, xgb().fit(SPARSE, LABEL).predict_proba(csr_matrix(np.where(rows == 1e-60, 0, rows))))
    np.testing.assert_allclose(found.to_matrix(rows)["probabilities"], want, rtol=1e-5)


@pytest.mark.parametrize("function", [np.abs, np.rint, np.sqrt, np.log1p])
@pytest.mark.parametrize("member", [xgb, lgb])
def test_a_function_of_numpy_keeps_a_matrix_sparse(function: Any, member: Any) -> None:
    matrix = abs(SPARSE)
    model = make_pipeline(FunctionTransformer(function), member()).fit(matrix, LABEL)
    found = held(model, matrix)
    fresh = abs(FRESH).toarray()
    np.testing.assert_allclose(
        found.to_matrix(fresh)["probabilities"], model.predict_proba(csr_matrix(fresh)), rtol=1e-5
    )


@pytest.mark.parametrize("member", [xgb, lgb])
def test_a_record_stores_its_zeros(member: Any) -> None:
    """A 0 in a record is a cell of the matrix, a key left out is none."""
    kinds = np.array(["red", "green", "blue"])[np.arange(ROWS) % 3]
    spend = np.where(RNG.random(ROWS) < 0.3, np.nan, np.round(DENSE[:, 0], 2))
    frame = pd.DataFrame({"kind": kinds, "spend": spend, "visits": np.arange(ROWS) % 4})
    records = [{k: v for k, v in row.items() if v == v} for row in frame.to_dict("records")]
    label = ((frame.visits == 0) ^ frame.spend.isna() ^ (frame.kind == "red")).astype(int)
    model = make_pipeline(DictVectorizer(), member()).fit(records, label)
    found = held(model, frame)
    assert found.proven.report.equal
    got = found.answers(table_of(frame.iloc[::3]))["probabilities"]
    np.testing.assert_allclose(got, model.predict_proba(records[::3]), rtol=1e-5)
