"""nnet: regression and classes, by formula and by matrix, skip layers, cut-offs of its logistic function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlpack_toolkit.converters.spec import Table, Unsupported
from tests.converters.r.check import assert_equal, fit, loaded, rows_in

SCRIPT = """
library(nnet)
net <- function(..., size = 4) nnet(..., size = size, trace = FALSE, maxit = 60, decay = 1e-3)
put("regression", net(y ~ x1 + x2 + g, train, linout = TRUE))
put("logistic", net(lg ~ x1 + x2 + f, train))
put("two", net(yb ~ x1 * g + log(x2) + o, train))
put("three", net(y3 ~ x1 + f, train))
put("skip", net(y ~ x1 + x2 + o, train, linout = TRUE, skip = TRUE))
put("only_skip", net(y3 ~ x1 + x2, train, size = 0, skip = TRUE))
put("no_intercept", net(y ~ 0 + g + x1, train, linout = TRUE))
put("holes", net(y ~ x1 + f, holes, linout = TRUE))
put("steep", nnet(yb ~ x1 + x3, train, size = 2, trace = FALSE, maxit = 0,
  Wts = c(-30, 3, 20, 1, -9, 2, 3, -40, 30)))
x <- as.matrix(train[c("x1", "x2", "x3")])
put("matrix", net(x, train$y, linout = TRUE))
put("two_targets", net(x, as.matrix(train[c("y", "ex")]), linout = TRUE))
put("matrix_softmax", net(x, class.ind(train$y3), softmax = TRUE))
put("matrix_entropy", net(x, as.integer(train$yb) - 1, entropy = TRUE))
put("matrix_plain", net(x, unname(class.ind(train$y3)), softmax = TRUE))
put("censored", net(x, class.ind(train$y3), censored = TRUE))
put("empty_group", local({ t <- train; t$y3 <- factor(t$y3, levels = c("none", "A", "B", "C"))
  suppressWarnings(net(y3 ~ x1 + x2, t)) }))
"""
EQUAL = ["regression", "logistic", "two", "three", "skip", "only_skip", "no_intercept", "holes", "steep"]
MATRIX = ["matrix", "two_targets", "matrix_softmax", "matrix_entropy", "matrix_plain"]
REFUSED = {"censored": "censored = TRUE", "empty_group": "no rows"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("nnet"))


@pytest.mark.parametrize("name", EQUAL)
def test_equal(folder: Path, name: str) -> None:
    kinds = assert_equal(loaded(folder, name), rows_in(folder / "rows.rds"))
    assert kinds["example"] == 200 and kinds["missing"] > 0


def _places(rows: Table) -> Table:
    return {f"V{i + 1}": np.asarray(rows[name]) for i, name in enumerate(("x1", "x2", "x3"))}


@pytest.mark.parametrize("name", MATRIX)
def test_a_matrix(folder: Path, name: str) -> None:
    kinds = assert_equal(loaded(folder, name), _places(rows_in(folder / "rows.rds")))
    assert kinds["example"] == 200


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(folder: Path, name: str) -> None:
    with pytest.raises(Unsupported, match=REFUSED[name]):
        loaded(folder, name)
