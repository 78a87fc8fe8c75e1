"""Classifiers with several targets, or several labels a row, against their originals."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn import dummy, ensemble, multiclass, multioutput, svm, tree
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, RidgeClassifier, RidgeClassifierCV
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlpack_toolkit.converters import for_object
from mlpack_toolkit.converters._worker.signature import signature_of
from mlpack_toolkit.converters.spec import Signature, Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

X, KIND = (part[::3] for part in load_iris(return_X_y=True))
TWO = np.column_stack([KIND, X[:, 0] > 5.8]).astype(int)
"""Three classes and two."""
FLAGS = np.column_stack([KIND == 0, X[:, 0] > 5.8, X[:, 1] > 3]).astype(int)
TEXT = np.array(["é", "b", "😀"])[np.column_stack([KIND, (KIND + 1) % 3])]


def logistic() -> LogisticRegression:
    return LogisticRegression(C=0.1, max_iter=300)


def small_tree(**options: Any) -> tree.DecisionTreeClassifier:
    return tree.DecisionTreeClassifier(max_depth=3, random_state=0, **options)


def check(model: Any, y: Any, coarse: bool = True) -> None:
    """Both precisions (unless not `coarse`) agree with the original, on many rows; on one and on none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    assert_same(model, X)
    assert_same(model, X[:1])
    assert_empty(model, X[:2])
    if coarse:
        assert_same(model, X.astype(np.float32), "float32")


def signature(model: Any, y: Any) -> Signature:
    model.fit(X, y)
    converter = for_object(model)
    assert converter is not None
    return signature_of(converter.original.describe(model), {"X": X}, converter.original.predict(model, X))


TARGETS = {"numbers": TWO, "flags": FLAGS.astype(bool), "text": TEXT}


@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize(
    "model",
    [
        small_tree(),
        small_tree(class_weight="balanced"),
        tree.ExtraTreeClassifier(random_state=0),
        ensemble.RandomForestClassifier(5, random_state=0),
        ensemble.ExtraTreesClassifier(5, max_depth=4, random_state=0),
        multioutput.MultiOutputClassifier(logistic()),
        multioutput.MultiOutputClassifier(svm.LinearSVC()),
        make_pipeline(StandardScaler(), multioutput.MultiOutputClassifier(small_tree())),
        GridSearchCV(small_tree(), {"max_depth": [2, 3]}, scoring=lambda fitted, x, y: 0.0),
        dummy.DummyClassifier(),
        dummy.DummyClassifier(strategy="most_frequent"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_several_targets(model: Any, y: Any) -> None:
    check(model, y)


def test_dummies_with_constants() -> None:
    check(dummy.DummyClassifier(strategy="constant", constant=[2, 0]), TWO)
    check(dummy.DummyClassifier(strategy="constant", constant=["😀", "é"]), TEXT)


def test_one_target_given_as_a_column() -> None:
    check(multioutput.MultiOutputClassifier(logistic()), KIND[:, None])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"order": [2, 0, 1]},
        {"order": "random", "random_state": 1, "cv": 3},
        {"order": [1, 2, 0], "chain_method": "predict_proba"},
        {"order": [1, 2, 0], "chain_method": "predict_log_proba"},
        {"order": [1, 2, 0], "chain_method": "decision_function"},
    ],
    ids=str,
)
def test_chain(options: Any) -> None:
    check(multioutput.ClassifierChain(logistic(), **options), FLAGS, coarse="log" not in str(options))


def test_chain_of_members_without_probabilities_or_without_a_decision() -> None:
    check(multioutput.ClassifierChain(svm.LinearSVC(), order=[1, 0, 2]), FLAGS)
    check(multioutput.ClassifierChain(small_tree(), order=[1, 0, 2]), FLAGS)


def test_a_chain_with_a_target_of_three_classes_has_labels_only() -> None:
    chain = multioutput.ClassifierChain(logistic(), order=[1, 0])
    check(chain, TWO)
    assert [o.name for o in signature(chain, TWO).outputs] == ["label"]


MULTILABEL = [
    multiclass.OneVsRestClassifier(logistic()),
    multiclass.OneVsRestClassifier(svm.LinearSVC()),
    multiclass.OneVsRestClassifier(small_tree()),
    MLPClassifier((4,), max_iter=30, random_state=0),
    RidgeClassifier(),
    RidgeClassifierCV(),
]


@pytest.mark.parametrize("model", MULTILABEL, ids=str)
def test_several_labels_a_row(model: Any) -> None:
    check(model, FLAGS)
    check(model, FLAGS.astype(bool), coarse=False)


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {"final_estimator": small_tree(), "passthrough": True},
        {"final_estimator": small_tree(), "stack_method": "predict"},
        {"final_estimator": RidgeClassifier()},
    ],
    ids=str,
)
def test_a_stack_of_several_labels(options: Any, labels: int) -> None:
    rest = multiclass.OneVsRestClassifier(small_tree())
    held = [("tree", small_tree()), ("rest", rest), ("ridge", RidgeClassifier())]
    stack = ensemble.StackingClassifier(held, cv=2, **options)
    check(stack, FLAGS[:, :labels].astype(bool if labels == 2 else int), coarse=False)


@pytest.mark.parametrize("place", [0, 3])
def test_labels_that_all_rows_or_no_row_had(place: int) -> None:
    y = np.insert(FLAGS, [place, place], [0, 1], axis=1)
    check(multiclass.OneVsRestClassifier(logistic()), y)


def test_outputs_bear_the_classes_of_their_target() -> None:
    found = signature(small_tree(), TEXT[:, :1].repeat(2, axis=1))
    assert found.classes == ()
    assert [(o.name, o.dtype, o.shape, o.columns) for o in found.outputs] == [
        ("label", "string", ("N", 2), ()),
        ("probabilities_0", "float64", ("N", 3), ("b", "é", "😀")),
        ("probabilities_1", "float64", ("N", 3), ("b", "é", "😀")),
    ]


def test_a_matrix_of_chances_is_one_output_without_classes() -> None:
    found = signature(MULTILABEL[0], FLAGS)
    assert [(o.name, o.dtype, o.shape, o.columns) for o in found.outputs] == [
        ("label", "int64", ("N", 3), ()),
        ("probabilities", "float64", ("N", 3), ()),
    ]
    assert found.classes == ()


def test_text_beside_numbers_is_refused() -> None:
    model = small_tree().fit(X, TWO)
    model.classes_ = [np.array([0, 1, 2], object), np.array(["no", "yes"], object)]
    with pytest.raises(Unsupported, match="some targets are text and some are numbers"):
        answers(model, X, "float64")
