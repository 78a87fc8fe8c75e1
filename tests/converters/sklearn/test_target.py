"""Encoders of labels as models of their own, against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import LabelBinarizer, LabelEncoder

from mlpack_toolkit.converters import for_object
from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import assert_same
from tests.converters.sklearn.empty import assert_empty

LABELS: dict[str, Any] = {
    "text": ["setosa", "", "Ωmega", "setosa"],
    "whole": [7, -3, 2**40, 7],
    "fractions": [0.1, 2.5, -0.1, 0.1],
    "flags": [True, False, True, True],
    "two": ["no", "yes", "no", "no"],
}


def frame(labels: Any) -> pd.DataFrame:
    return pd.DataFrame({"y": np.array(labels, object) if isinstance(labels[0], str) else np.array(labels)})


@pytest.mark.parametrize("labels", LABELS.values(), ids=list(LABELS))
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_codes(labels: Any) -> None:
    fitted = LabelEncoder().fit(np.array(labels, object if isinstance(labels[0], str) else None))
    assert_same(fitted, frame(labels))


@pytest.mark.parametrize("labels", [LABELS["text"], LABELS["whole"], LABELS["two"], ["one", "one"]], ids=str)
@pytest.mark.parametrize("options", [{}, {"neg_label": -1, "pos_label": 3}, {"sparse_output": True}], ids=str)
def test_columns(labels: Any, options: dict[str, Any]) -> None:
    fitted = LabelBinarizer(**options).fit(labels)
    assert_same(fitted, frame(labels))
    assert_empty(fitted, frame(labels))


def test_an_unknown_label_among_three_has_no_column() -> None:
    assert_same(LabelBinarizer().fit(["a", "b", "c"]), frame(["a", "else", "c"]))


def test_an_unknown_label_beside_two_would_change_the_shape_and_is_refused() -> None:
    fitted = LabelBinarizer().fit(["no", "yes"])
    converter = for_object(fitted)
    assert converter is not None
    description = converter.original.describe(fitted)
    assert description.features[0].values == ("no", "yes")
    with pytest.raises(ValueError, match="does not know 'else'"):
        converter.original.predict(fitted, frame(["no", "yes", "else"]))
    assert converter.original.predict(fitted, frame(["yes", "no"]))["transformed"].tolist() == [[1], [0]]


def test_several_labels_per_row_are_refused() -> None:
    fitted = LabelBinarizer().fit(np.array([[0, 1], [1, 1]]))
    with pytest.raises(Unsupported, match="several labels per row"):
        assert_same(fitted, frame([0, 1]))
