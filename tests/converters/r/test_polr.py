"""polr: every link, factors, interactions, ordered columns, NA in training, no intercept."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.r.check import assert_equal, fit, loaded, rows_in

SCRIPT = """
library(MASS)
train$y3 <- factor(train$y3, ordered = TRUE); holes$y3 <- factor(holes$y3, ordered = TRUE)
for (method in c("logistic", "probit", "loglog", "cloglog", "cauchit"))
  put(method, polr(y3 ~ x1 * g + x2 + o + lg, train, method = method))
put("terms", polr(y3 ~ poly(x1, 2) + log(x2) + I(x3 > 4) + f, train))
put("holes", polr(y3 ~ x1 + f, holes, Hess = TRUE))
put("without_model", polr(y3 ~ x1 + f, train, model = FALSE))
coded <- train; contrasts(coded$f) <- contr.sum(5); contrasts(coded$g) <- contr.helmert(3)
put("helmert", polr(y3 ~ x1 + f + g, coded))
put("offset", polr(y3 ~ x1 + offset(log(ex)), train))
put("weights", polr(y3 ~ x1, train, weights = ex))
put("no_intercept", suppressWarnings(polr(y3 ~ 0 + x1 + x2, train)))
train$y5 <- cut(train$y, 5)
put("five", polr(y5 ~ x1 + x2 + g, train))
put("aliased", suppressWarnings(polr(y3 ~ x1 + I(2 * x1) + x2, train)))
"""
EQUAL = [
    *("logistic", "probit", "loglog", "cloglog", "cauchit", "terms", "holes", "without_model", "helmert", "offset"),
    *("weights", "no_intercept", "five"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("polr"))


@pytest.mark.parametrize("name", EQUAL)
def test_equal(folder: Path, name: str) -> None:
    kinds = assert_equal(loaded(folder, name), rows_in(folder / "rows.rds"))
    assert kinds["example"] == 200 and kinds["missing"] > 0


def test_an_aliased_column_is_refused(folder: Path) -> None:
    with pytest.raises(Unsupported, match="aliased"):
        loaded(folder, "aliased")
