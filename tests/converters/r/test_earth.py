"""Package earth: degrees, factors, several responses, a glm on the terms, formula and columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.r.check import assert_equal, fit, loaded, rows_in

SCRIPT = """
suppressMessages(library(earth))
put("one", earth(y ~ x1 + x2 + x3, data = train))
put("factors", earth(y ~ x1 + f + g + o + lg + x3, data = train, degree = 2))
put("three", earth(y ~ x1 + x2 + x3 + g, data = train, degree = 3, nk = 60, thresh = 0))
put("linear", earth(y ~ x1 + x2 + x3, data = train, linpreds = TRUE))
put("mixed", earth(y ~ x1 + x2 + x3, data = train, degree = 2, linpreds = "x2"))
put("transformed", earth(y ~ log(x2) + x1:g + poly(x3, 2), data = train))
put("two", earth(cbind(y, yp) ~ x1 + x2 + g, data = train))
put("binomial", earth(yb ~ x1 + x2 + g, data = train, glm = list(family = binomial)))
put("probit", earth(yb ~ x1 + x2, data = train, degree = 2, glm = list(family = binomial("probit"))))
put("classes", earth(y3 ~ x1 + x2 + f, data = train, glm = list(family = binomial)))
put("poisson", earth(yc ~ x1 + x2 + offset(log(ex)), data = train, glm = list(family = poisson)))
put("offset", earth(y ~ x1 + offset(x3) + g, data = train))
put("factor_response", earth(yb ~ x1 + x2 + g, data = train))
put("frame", earth(train[c("x1", "lg", "x3")], train$y, degree = 2))
put("frame_factors", earth(train[c("x1", "f", "o", "lg")], train$y, degree = 2))
put("matrix", earth(as.matrix(train[c("x1", "x2", "x3")]), train$y, degree = 2))
put("gamma", earth(train[c("x1", "x2")], train$yp, glm = list(family = Gamma("log"))))
put("constant", earth(y ~ x3, data = train, nprune = 1))
put("no_intercept", suppressWarnings(earth(y ~ x1 + g - 1, data = train)))
put("pruned", earth(y ~ x1 + x2 + x3, data = train, pmethod = "none"))
put("odd_link", earth(yp ~ x1, data = train, glm = list(family = quasi(link = power(1 / 3), variance = "mu"))))
"""
EQUAL = [
    *("one", "factors", "three", "linear", "mixed", "transformed", "two", "binomial", "probit", "classes", "poisson"),
    *("offset", "factor_response", "frame", "matrix", "gamma", "constant", "no_intercept", "pruned"),
]
LEVELS = {"f": ["a", "b:c", "d e", "", "NA"], "o": ["lo", "mid", "hi"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("earth"))


@pytest.mark.parametrize("name", EQUAL)
def test_equal(folder: Path, name: str) -> None:
    kinds = assert_equal(loaded(folder, name), rows_in(folder / "rows.rds"))
    assert kinds["example"] == 200


def test_levels_of_a_frame_are_given(folder: Path) -> None:
    assert_equal(loaded(folder, "frame_factors", levels=LEVELS), rows_in(folder / "rows.rds"))


def test_levels_of_a_frame_are_asked_for(folder: Path) -> None:
    with pytest.raises(Unsupported, match="'f'"):
        loaded(folder, "frame_factors")


def test_a_link_without_converter(folder: Path) -> None:
    with pytest.raises(Unsupported, match=r"mu\^0\.333"):
        loaded(folder, "odd_link")


def test_cuts_are_probed(folder: Path) -> None:
    assert assert_equal(loaded(folder, "three"), rows_in(folder / "rows.rds"))["threshold"] > 10
