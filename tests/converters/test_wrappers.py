"""What is said of a file that holds something else than a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlpack_toolkit.converters import for_object
from mlpack_toolkit.converters._worker.wrappers import held

X = np.arange(20.0).reshape(10, 2)
FITTED = LogisticRegression().fit(X, np.arange(10) % 2)
SCALER = StandardScaler().fit(X)
FRAME = pd.DataFrame(X, columns=["a", "b"])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"model": FITTED, "version": 3}, "a dict; its key 'model' is a LogisticRegression: save that alone"),
        ({"a": {"clf": FITTED}}, "a dict; its key 'clf' in its key 'a' is a LogisticRegression: save that alone"),
        ([["a", "b"], FITTED], "a list; its item 1 is a LogisticRegression: save that alone"),
        ((FITTED, {"f1": 0.9}), "a tuple; its item 0 is a LogisticRegression: save that alone"),
        (
            (SCALER, FITTED),
            "its item 0 is a StandardScaler, its item 1 a LogisticRegression; save the one that answers",
        ),
        (np.array([FITTED, None], object), "an array of objects; its item 0 is a LogisticRegression: save that alone"),
        ({"a": [1, 2]}, "a dict in which no model is found: save the fitted model alone"),
        ([], "a list in which no model is found"),
        (FRAME, "a DataFrame of pandas: rows, not a model; save the fitted model, and give rows as --example"),
        (FRAME["a"], "a Series of pandas: rows, not a model"),
        (X, "an array of numpy, not a model; save the fitted model"),
        (np.float64(0.5), "an array of numpy, not a model"),
        ("model", "a bare value of type str, not a model"),
        (0.97, "a bare value of type float, not a model"),
        (None, "nothing (None), not a model"),
        (LogisticRegression, "the class LogisticRegression, not a fitted object: fit one and save that"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_file_holds(value: Any, said: str) -> None:
    sentence = held(value, for_object)
    assert sentence.startswith("the file holds ") and said in sentence


def test_a_pipeline_in_a_dict_is_named_as_one() -> None:
    assert "is a Pipeline" in held({"m": make_pipeline(StandardScaler(), FITTED).fit(X, np.arange(10) % 2)}, for_object)


def test_of_models_nothing_is_said() -> None:
    assert held(FITTED, for_object) == held(object(), for_object) == ""


def test_a_circle_ends() -> None:
    circle: dict[str, Any] = {"model": FITTED}
    circle["self"] = circle
    assert "LogisticRegression" in held(circle, for_object)
