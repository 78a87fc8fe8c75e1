"""multinom: two classes and more, counts as the response, NA in training."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.r.check import assert_equal, fit, loaded, rows_in

SCRIPT = """
library(nnet)
put("three", multinom(y3 ~ x1 * g + x2 + o + lg, train, trace = FALSE))
put("two", multinom(yb ~ x1 + f + log(x2), train, trace = FALSE))
put("holes", multinom(y3 ~ x1 + f, holes, trace = FALSE))
put("holes_two", multinom(yb ~ x1 + f, holes, model = TRUE, trace = FALSE))
put("five", multinom(f ~ x1 + x2 + x3, train, trace = FALSE))
put("no_intercept", multinom(y3 ~ 0 + f + x1, train, trace = FALSE))
put("decay", multinom(y3 ~ x1 + x3, train, decay = 0.1, weights = ex, trace = FALSE))
put("contrasts", multinom(y3 ~ x1 + g, train, contrasts = list(g = "contr.sum"), trace = FALSE))
put("counts", local({ t <- train; t$k <- cbind(a = rpois(600, 2) + 1, b = rpois(600, 3), c = rpois(600, 1))
  multinom(k ~ x1 + g, t, trace = FALSE) }))
put("two_counts", local({ t <- train; t$k <- cbind(rpois(600, 2) + 1, rpois(600, 3))
  multinom(k ~ x1 + g, t, trace = FALSE) }))
put("empty_group", local({ t <- train; t$y3 <- factor(t$y3, levels = c("none", "A", "B", "C"))
  suppressWarnings(multinom(y3 ~ x1 + x2, t, trace = FALSE)) }))
put("numbers", local({ t <- train; t$k <- as.integer(t$y3); multinom(k ~ x1 + x2, t, trace = FALSE) }))
put("censored", multinom(y3 ~ x1, train, censored = TRUE, trace = FALSE))
put("offset", local({ t <- train; t$off <- matrix(runif(1800), 600)
  multinom(y3 ~ x1 + offset(off), t, trace = FALSE) }))
"""
EQUAL = [
    *("three", "two", "holes", "holes_two", "five", "no_intercept", "decay", "contrasts", "counts", "two_counts"),
    *("empty_group", "numbers"),
]
REFUSED = {"censored": "censored = TRUE", "offset": "offset"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("multinom"))


@pytest.mark.parametrize("name", EQUAL)
def test_equal(folder: Path, name: str) -> None:
    kinds = assert_equal(loaded(folder, name), rows_in(folder / "rows.rds"))
    assert kinds["example"] == 200 and kinds["missing"] > 0


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(folder: Path, name: str) -> None:
    with pytest.raises(Unsupported, match=REFUSED[name]):
        loaded(folder, name)
