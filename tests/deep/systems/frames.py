"""A network on a data frame: a pipeline of scikit-learn whose last step is a module in skorch."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
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


def frame(rows: int) -> pd.DataFrame:
    """Three numbers and a town."""
    numbers = np.random.default_rng(1).normal(size=(rows, 3)).astype(np.float32)
    return pd.DataFrame({**dict(zip("abc", numbers.T)), "town": np.resize(["Ulm", "Bern", "Graz"], rows)})


def pipeline() -> object:
    """The pipeline, fitted."""
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
    from skorch import NeuralNetClassifier

    torch.manual_seed(0)
    steps = make_column_transformer((StandardScaler(), list("abc")), (OneHotEncoder(sparse_output=False), ["town"]))
    network = NeuralNetClassifier(Columns, max_epochs=2, train_split=None, verbose=0)
    rows = frame(90)
    made = make_pipeline(steps, FunctionTransformer(np.float32), network)
    return made.fit(rows, np.resize([0, 1, 2, 1], len(rows)))


SYSTEMS = (System("MLP on a data frame (scikit-learn pipeline, skorch)", pipeline, frame, frame=True),)
