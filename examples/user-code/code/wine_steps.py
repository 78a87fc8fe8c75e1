"""Custom steps: a function that can be traced, a class that gives its graph, and one whose graph is registered."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin


def with_ratios(wines: Any) -> Any:
    """The columns plus the colour per hue, the logarithm of the proline and a flag for strong wines."""
    wines = wines.copy()
    wines["colour_per_hue"] = wines["color_intensity"] / wines["hue"].clip(lower=0.1)
    wines["log_proline"] = np.log1p(wines["proline"].clip(lower=0))
    wines["strong"] = np.where(wines["alcohol"] > 13.05, 1.0, 0.0)
    return wines


class Winsorize(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Clips columns to their own quantiles."""

    def __init__(self, share: float = 0.05) -> None:
        self.share = share

    def fit(self, X: Any, y: Any = None) -> Winsorize:
        """Learns the bounds of each column."""
        X = np.asarray(X, np.float64)
        self.n_features_in_ = X.shape[1]
        self.low_, self.high_ = np.quantile(X, [self.share, 1 - self.share], axis=0)
        return self

    def transform(self, X: Any) -> Any:
        """The columns, clipped to their bounds."""
        return np.clip(np.asarray(X, np.float64), self.low_, self.high_)

    def to_onnx_graph(self, graph: Any, frame: Any) -> Any:
        """The graph of `transform`."""
        x = graph.matrix(frame)
        low, high = graph.const([self.low_]), graph.const([self.high_])
        above = graph.op("Where", graph.op("Less", x.name, low), low, x.name)
        within = graph.op("Where", graph.op("Greater", above, high), high, above)
        return graph.block(within, x.width)


class NearestMean(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classifies by distance to the class means, the nearer the more probable."""

    def fit(self, X: Any, y: Any) -> NearestMean:
        """Learns the mean of each class."""
        X, y = np.asarray(X, np.float64), np.asarray(y)
        self.classes_ = np.unique(y)
        self.n_features_in_ = X.shape[1]
        self.means_ = np.array([X[y == each].mean(axis=0) for each in self.classes_])
        return self

    def predict_proba(self, X: Any) -> Any:
        """The probability of each class."""
        away = ((np.asarray(X, np.float64)[:, None, :] - self.means_) ** 2).sum(axis=2)
        raised = np.exp(away.min(axis=1, keepdims=True) - away)
        return raised / raised.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> Any:
        """The most probable class."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
