"""svm: every type and kernel, formula and matrix, probabilities, votes, levels that the model does not keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.converters.r._model import RModel
from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.r.check import asked, assert_equal, fit, levels_in, loaded, rows_in

SCRIPT = """
library(e1071)
x <- as.matrix(train[1:150, c("x1", "x2", "x3")])
few <- train[1:150, ]; some <- holes[1:200, ]
put("two", svm(yb ~ x1 + x2 + f + g, few, probability = TRUE))
put("three", svm(y3 ~ x1 + x2 + o + lg, few, probability = TRUE))
put("four", svm(f ~ x1 + x2 + x3, few, probability = TRUE, kernel = "linear"))
put("votes", svm(y3 ~ x1 + x2, few))
put("votes_two", svm(yb ~ log(x2) + poly(x1, 2) + x1:g, few, kernel = "polynomial", degree = 2, coef0 = 1))
put("sigmoid", svm(y3 ~ x1 + x2 + g, few, kernel = "sigmoid", gamma = 0.1))
put("nu", svm(yb ~ x1 + x2, few, type = "nu-classification", nu = 0.3, probability = TRUE))
put("regression", svm(y ~ x1 + x2 + f, few))
put("unscaled", svm(y ~ x1 + x3, few, scale = FALSE, kernel = "linear"))
put("nu_regression", svm(y ~ x1 + x2, few, type = "nu-regression", scale = c(TRUE, FALSE)))
put("cubic", svm(y ~ x1 + x2, few, kernel = "polynomial", probability = TRUE))
put("costly", svm(y3 ~ x1 + x2 + f, few, cost = 1000, probability = TRUE))
put("empty", svm(y3 ~ x1, transform(few, y3 = factor(y3, levels = c("A", "none", "B", "C"))), probability = TRUE))
put("text", svm(y3 ~ x1 + f, transform(few, f = as.character(f))))
put("one", svm(~ x1 + x2, few, type = "one-classification", nu = 0.1))
put("holes", svm(yb ~ x1 + f, some))
put("matrix", svm(x, few$y3, probability = TRUE))
put("matrix_regression", svm(unname(x), few$y))
put("matrix_one", svm(x, nu = 0.2))
put("numbers", svm(x, as.integer(few$y3), type = "C-classification"))
put("weights", svm(x, few$y3, class.weights = c(A = 1, B = 2, C = 0.5)))
put("fixed", svm(x[, 1:2], few$yb, scale = FALSE, kernel = "linear", fitted = FALSE))
"""
FORMULA = [
    *(
        "two",
        "three",
        "four",
        "votes",
        "votes_two",
        "sigmoid",
        "nu",
        "regression",
        "unscaled",
        "nu_regression",
        "cubic",
    ),
    *("one", "holes", "costly", "empty", "text"),
]
MATRIX = ["matrix", "matrix_one", "numbers", "weights", "fixed"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("svm"))


def _loaded(folder: Path, name: str, **given: Any) -> RModel:
    return loaded(folder, name, levels=levels_in(folder / "train.rds"), **given)


@pytest.mark.parametrize("name", FORMULA + MATRIX)
def test_equal(folder: Path, name: str) -> None:
    kinds = assert_equal(_loaded(folder, name), rows_in(folder / "rows.rds"))
    assert kinds["example"] == 200 and kinds["missing"] > 0


def test_a_matrix_without_names(folder: Path) -> None:
    rows = rows_in(folder / "rows.rds")
    table = {f"X{i + 1}": rows[n] for i, n in enumerate(("x1", "x2", "x3"))}
    assert_equal(loaded(folder, "matrix_regression"), table)


def test_probabilities_only_where_they_are_wanted(folder: Path) -> None:
    rows = rows_in(folder / "rows.rds")
    assert set(asked(_loaded(folder, "two"), rows)[2]) == {"label", "probabilities", "decision", "status"}
    plain = _loaded(folder, "two", arguments={"probability": False})
    assert set(asked(plain, rows)[2]) == {"label", "decision", "status"}
    assert_equal(plain, rows)


def test_levels_are_asked_for(folder: Path) -> None:
    with pytest.raises(Unsupported, match="--training"):
        loaded(folder, "two")
