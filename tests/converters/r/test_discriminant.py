"""lda and qda: by formula, matrix and frame; priors, and every method of predict()."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.r.check import assert_equal, fit, loaded, rows_in

SCRIPT = """
library(MASS)
x <- as.matrix(train[c("x1", "x2", "x3")])
put("lda", lda(y3 ~ x1 + x2 + f + o, train))
put("lda_two", lda(yb ~ x1 * g + log(x2) + lg, train))
put("lda_prior", lda(y3 ~ x1 + x2, train, prior = c(.6, .3, .1)))
put("lda_holes", lda(y3 ~ x1 + f, holes, na.action = na.omit))
put("lda_matrix", lda(x, train$y3))
put("lda_frame", lda(train[c("x1", "x2", "x3")], train$y3))
put("lda_mve", lda(y3 ~ x1 + x2, train, method = "mve"))
put("lda_t", lda(y3 ~ x1 + x2, train, method = "t", nu = 5))
put("lda_empty", local({ t <- train; t$y3 <- factor(t$y3, levels = c("A", "none", "B", "C"))
  suppressWarnings(lda(y3 ~ x1 + x2, t)) }))
put("qda", qda(y3 ~ x1 + x2 + g, train))
put("qda_two", qda(yb ~ poly(x1, 2) + x2, train))
put("qda_prior", qda(y3 ~ x1 + x2, train, prior = c(.6, .3, .1)))
put("qda_matrix", qda(x, train$y3))
put("qda_mle", qda(y3 ~ x1 + x2, train, method = "mle"))
"""
EQUAL = [
    *("lda", "lda_two", "lda_prior", "lda_holes", "lda_matrix", "lda_frame", "lda_mve", "lda_t", "lda_empty", "qda"),
    *("qda_two", "qda_prior", "qda_matrix", "qda_mle"),
]
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("lda", {"method": "predictive"}),
    ("lda", {"method": "debiased"}),
    ("lda", {"dimen": 1.0}),
    ("lda", {"prior": [0.2, 0.2, 0.6]}),
    ("qda", {"method": "predictive"}),
    ("qda", {"method": "debiased"}),
    ("qda", {"prior": [0.2, 0.2, 0.6]}),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("discriminant"))


@pytest.mark.parametrize("name", EQUAL)
def test_equal(folder: Path, name: str) -> None:
    kinds = assert_equal(loaded(folder, name), rows_in(folder / "rows.rds"))
    assert kinds["example"] == 200 and kinds["missing"] > 0


@pytest.mark.parametrize(("name", "arguments"), ASKED)
def test_arguments_of_predict(folder: Path, name: str, arguments: dict[str, Any]) -> None:
    assert_equal(loaded(folder, name, arguments=arguments), rows_in(folder / "rows.rds"))


def test_refused_by_name(folder: Path) -> None:
    with pytest.raises(Unsupported, match="looCV"):
        loaded(folder, "qda", arguments={"method": "looCV"})
