"""Classes of the user's own: their author's graph, by a method, by a registration, or as an ONNX model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlpack_toolkit.converters import for_object
from mlpack_toolkit.converters._steps import user_defined
from mlpack_toolkit.converters._steps.lookup import thresholds_of
from mlpack_toolkit.converters.spec import Unreadable, Unsupported
from tests.converters.check import answers, assert_same

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


class Centred(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Columns less their means."""

    def fit(self, X: Any, y: Any = None) -> Centred:
        self.n_features_in_ = X.shape[1]
        self.means_ = np.asarray(X).mean(axis=0)
        return self

    def transform(self, X: Any) -> Any:
        return np.asarray(X) - self.means_

    def to_onnx_graph(self, graph: Any, frame: Any) -> Any:
        x = graph.matrix(frame)
        return graph.block(graph.op("Sub", x.name, graph.const([self.means_])), x.width)


class AsModel(Centred):
    """The same, whose graph is a model of its own."""

    def to_onnx_graph(self, graph: Any, frame: Any) -> Any:
        from onnx import TensorProto, helper, numpy_helper

        width = len(self.means_)
        inner = helper.make_graph(
            [helper.make_node("Sub", ["in", "means"], ["out"])],
            "centred",
            [helper.make_tensor_value_info("in", TensorProto.DOUBLE, ["N", width])],
            [helper.make_tensor_value_info("out", TensorProto.DOUBLE, ["N", width])],
            [numpy_helper.from_array(self.means_[None], "means")],
        )
        return helper.make_model(inner, opset_imports=[helper.make_opsetid("", 17)])


class Plain:
    """A classifier that is nobody's subclass: 1 where the first column is beyond its limit."""

    def fit(self, X: Any, y: Any) -> Plain:
        self.n_features_in_, self.classes_, self.limit = X.shape[1], np.array(["no", "yes"]), 0.25
        return self

    def predict_proba(self, X: Any) -> Any:
        yes = (np.asarray(X)[:, 0] > self.limit).astype(float)
        return np.stack([1 - yes, yes], axis=1)

    def predict(self, X: Any) -> Any:
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def to_onnx_graph(self, graph: Any, frame: Any) -> Any:
        first = graph.columns(frame)[0]
        beyond = graph.op("Greater", graph.cast(first, graph.real).name, graph.const(self.limit))
        yes = graph.op("Where", beyond, graph.const(1.0), graph.const(0.0))
        return {"probabilities": graph.op("Concat", graph.op("Sub", graph.const(1.0), yes), yes, axis=1)}

    def onnx_thresholds(self) -> list[list[float]]:
        return [[self.limit], [], []]


class PlainAsModel(Plain):
    """The same, whose graph is a model of its own, as a framework exports it."""

    output = "probabilities"

    def to_onnx_graph(self, graph: Any, frame: Any) -> Any:
        from onnx import parser

        model = f"""<ir_version: 8, opset_import: ["": 17]> one (double[N, 3] x) => (double[N, 2] {self.output})
        <int64[1] at = {{0}}, double limit = {{{self.limit}}}, double[1] one = {{1}}> {{
            first = Gather <axis = 1> (x, at)
            beyond = Greater (first, limit)
            yes = Cast <to = 11> (beyond)
            no = Sub (one, yes)
            {self.output} = Concat <axis = 1> (no, yes)
        }}"""
        return parser.parse_model(model)


class PlainUnderAnyName(PlainAsModel):
    output = "y"


class Sum(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The sum of the columns; says no graph."""

    def fit(self, X: Any, y: Any) -> Sum:
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: Any) -> Any:
        return np.asarray(X).sum(axis=1)


class Votes(ClassifierMixin, Plain, BaseEstimator):  # type: ignore[misc]
    """The classifier as scikit-learn's other classes take it."""

    def fit(self, X: Any, y: Any) -> Votes:
        super().fit(X, y)
        self.classes_ = np.unique(y)
        return self


@pytest.mark.parametrize("kind", [Centred, AsModel])
@pytest.mark.parametrize("real", ["float32", "float64"])
def test_a_transformer_alone_and_among_others(kind: Any, real: str) -> None:
    assert_same(kind().fit(X), X, real)
    assert_same(make_pipeline(StandardScaler(), kind(), LogisticRegression()).fit(X, Y), X, real, 1e-4, 1e-5)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    columns = make_column_transformer((kind(), ["c", "a"]), ("passthrough", ["b"]))
    assert_same(make_pipeline(columns, Ridge()).fit(frame, Y), frame)


def test_a_classifier_alone_and_among_others() -> None:
    assert_same(Plain().fit(X, Y), X)
    assert_same(PlainAsModel().fit(X, Y), X)
    assert_same(PlainUnderAnyName().fit(X, Y), X)
    assert thresholds_of(Plain().fit(X, Y), 3) == [[0.25], [], []]
    assert_same(VotingClassifier([("own", Votes()), ("line", LogisticRegression())], voting="soft").fit(X, Y), X)


def registry(folder: Path, text: str) -> list[str]:
    (folder / user_defined.REGISTRY).write_text(text)
    return [str(folder)]


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_defined, "_steps", {})
    monkeypatch.setattr(user_defined, "_thresholds", {})


GRAPH = """
def total(fitted, graph, frame):
    x = graph.matrix(frame)
    return {{"prediction": graph.op("ReduceSum", x.name, graph.const([1], "int64"), keepdims=0)}}

STEPS = {{"{name}": total}}
"""


@pytest.mark.usefixtures("clean")
def test_a_registered_class(tmp_path: Path) -> None:
    fitted = Sum().fit(X, Y)
    assert for_object(fitted) is None
    user_defined.register(registry(tmp_path, GRAPH.format(name=f"{__name__}.Sum")))
    assert_same(fitted, X)
    assert_same(make_pipeline(Centred(), Sum()).fit(X, Y), X)
    assert for_object(type("Other", (Sum,), {})()) is None, "a registration is for one class, not for its subclasses"


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
        ("STEP = {}", "registers nothing"),
        ("STEPS = {'a.B': 1}", "must map dotted class names to functions"),
    ],
)
def test_a_registry_that_is_none(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        user_defined.register(registry(tmp_path, text))


def test_without_a_graph_the_ways_are_named() -> None:
    with pytest.raises(Unsupported) as caught:
        answers(make_pipeline(StandardScaler(), Sum()).fit(X, Y), X, "float64")
    said = str(caught.value)
    assert f"no converter for {__name__}.Sum" in said
    assert "before the model" in said and "to_onnx_graph" in said and f'STEPS = {{"{__name__}.Sum"' in said


@pytest.mark.parametrize("given", ["name", None, {"wrong": "x"}, 5])
def test_an_answer_that_is_none_is_named(given: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Centred, "to_onnx_graph", lambda self, graph, frame: given)
    with pytest.raises(Unsupported, match=r"graph\.block"):
        answers(Centred().fit(X), X, "float64")


def test_an_authors_error_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Centred, "to_onnx_graph", lambda self, graph, frame: self.nothing_)
    with pytest.raises(Unsupported, match=r"Centred: AttributeError: .*nothing_"):
        answers(Centred().fit(X), X, "float64")
