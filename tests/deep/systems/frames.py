"""A network on a data frame: a pipeline of scikit-learn whose last step is a net of skorch, or what skorch has fitted.

A net of skorch keeps its module in a second pickle inside its own, which no scan reads: that file is refused. The way
out is `Fitted`, a step that is fitted by skorch and keeps the weights alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from system import System
from torch import nn


class Columns(nn.Module):
    """Two hidden layers over numbers and one-hot columns."""

    def __init__(self, inside: int = 6, classes: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inside, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.classes = nn.Linear(32, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classes(self.layers(x)).softmax(-1)


def net() -> Any:
    """The net of skorch that fits the network."""
    from skorch import NeuralNetClassifier

    torch.manual_seed(0)
    return NeuralNetClassifier(Columns, max_epochs=2, train_split=None, verbose=0)


class Fitted(ClassifierMixin, BaseEstimator):
    """The network as a step: skorch fits it, and the step keeps its weights, as arrays."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> Fitted:
        fitted = net().fit(x.astype(np.float32), y)
        self.weights_ = {name: value.numpy() for name, value in fitted.module_.state_dict().items()}
        self.classes_, self.n_features_in_ = fitted.classes_, x.shape[1]
        return self

    def module(self) -> nn.Module:
        """The network with these weights."""
        network = Columns(self.n_features_in_, len(self.classes_))
        network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in self.weights_.items()})
        return network.eval()

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self.module()(torch.from_numpy(np.ascontiguousarray(x, np.float32))).numpy()

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.classes_[self.predict_proba(x).argmax(1)]

    def to_onnx_graph(self, graph: Any, frame: Any) -> Any:
        """What torch's own exporter makes of the network; mlpack puts it into the pipeline's graph, and proves that."""
        rows = (torch.zeros(2, self.n_features_in_),)
        free = ({0: torch.export.Dim.DYNAMIC},)
        given = {"dynamic_shapes": free, "opset_version": 20, "output_names": ["probabilities"], "verbose": False}
        return torch.onnx.export(self.module(), rows, dynamo=True, **given).model_proto


def frame(rows: int) -> pd.DataFrame:
    """Three numbers and a town."""
    numbers = np.random.default_rng(1).normal(size=(rows, 3)).astype(np.float32)
    return pd.DataFrame({**dict(zip("abc", numbers.T)), "town": np.resize(["Ulm", "Bern", "Graz"], rows)})


def pipeline(*last: Any) -> Any:
    """Scaled numbers and one-hot towns, then the last steps; fitted."""
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    steps = make_column_transformer((StandardScaler(), list("abc")), (OneHotEncoder(sparse_output=False), ["town"]))
    rows = frame(90)
    return make_pipeline(steps, *last).fit(rows, np.resize([0, 1, 2, 1], len(rows)))


def skorch() -> object:
    from sklearn.preprocessing import FunctionTransformer

    return pipeline(FunctionTransformer(np.float32), net())


def fitted() -> object:
    return pipeline(Fitted())


SYSTEMS = (
    System("MLP on a data frame (scikit-learn pipeline, net of skorch)", skorch, frame, frame=True),
    System("MLP on a data frame (scikit-learn pipeline, fitted by skorch)", fitted, frame, frame=True),
)
