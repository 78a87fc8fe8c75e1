"""ksvm: every type, the kernels that convert, formula and matrix, probabilities of three classes and more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.converters.r._model import RModel
from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.r.check import assert_equal, fit, levels_in, loaded, rows_in

SCRIPT = """
suppressMessages(library(kernlab))
few <- train[1:150, ]; some <- holes[1:200, ]
x <- as.matrix(few[c("x1", "x2", "x3")])
put("two", ksvm(yb ~ x1 + x2 + f + g, few, prob.model = TRUE))
put("three", ksvm(y3 ~ x1 + x2 + o + lg, few, prob.model = TRUE))
put("five", ksvm(f ~ x1 + x2 + x3, train[1:250, ], prob.model = TRUE))
put("nu", ksvm(yb ~ x1 + x2, few, type = "nu-svc", nu = 0.3, prob.model = TRUE))
put("bound", ksvm(y3 ~ log(x2) + poly(x1, 2) + g, few, type = "C-bsvc"))
put("spoc", ksvm(y3 ~ x1 + x2, few, type = "spoc-svc", kernel = "polydot", kpar = list(degree = 2)))
put("kbb", ksvm(y3 ~ x1 + x2, few, type = "kbb-svc"))
put("regression", ksvm(y ~ x1 + x2 + f, few))
put("nu_regression", ksvm(y ~ x1 + x2, few, type = "nu-svr", scaled = c(TRUE, FALSE)))
put("holes", ksvm(yb ~ x1 + f, some))
put("poly", ksvm(y ~ x1 + x2, few, kernel = "polydot", kpar = list(degree = 3, scale = 0.5, offset = 1)))
put("costly", ksvm(y ~ x1 + x2 + f, few, C = 50, kernel = "polydot", kpar = list(degree = 3)))
put("vanilla", ksvm(y3 ~ x1 + x2 + g, few, kernel = "vanilladot", C = 10))
put("tanh", ksvm(yb ~ x1 + x2, few, kernel = "tanhdot", kpar = list(scale = 0.1, offset = 0.2)))
put("anova", ksvm(y ~ x1 + x2, few, type = "eps-bsvr", scaled = FALSE, kernel = "anovadot",
  kpar = list(sigma = 0.5, degree = 2)))
put("spline", ksvm(y3 ~ x1 + x2, few, kernel = "splinedot"))
put("laplace", ksvm(y ~ x1 + x2, few, kernel = "laplacedot"))
put("bessel", ksvm(y ~ x1 + x2, few, kernel = "besseldot"))
put("matrix", ksvm(x, few$y3, prob.model = TRUE))
put("unnamed", ksvm(unname(x), few$y))
put("numbers", ksvm(x, as.integer(few$y3), type = "C-svc"))
put("one", ksvm(x, type = "one-svc", nu = 0.2))
put("kernel_matrix", ksvm(kernelMatrix(rbfdot(0.1), x), few$y3))
put("empty", local({ t <- few; t$y3 <- factor(t$y3, levels = c("A", "none", "B", "C")); ksvm(y3 ~ x1 + x2, t) }))
"""
EQUAL = [
    *("two", "costly", "three", "five", "nu", "bound", "spoc", "kbb", "regression", "nu_regression", "holes", "poly"),
    *("vanilla", "tanh", "anova", "spline", "matrix", "numbers", "one"),
]
REFUSED = {"laplace": "9 digits", "bessel": "9 digits", "kernel_matrix": "kernel", "empty": "had no rows"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("ksvm"))


def _loaded(folder: Path, name: str, **given: Any) -> RModel:
    return loaded(folder, name, levels=levels_in(folder / "train.rds"), **given)


@pytest.mark.parametrize("name", EQUAL)
def test_equal(folder: Path, name: str) -> None:
    kinds = assert_equal(_loaded(folder, name), rows_in(folder / "rows.rds"))
    assert kinds["example"] == 200 and kinds["missing"] > 0


def test_a_matrix_without_names(folder: Path) -> None:
    rows = rows_in(folder / "rows.rds")
    assert_equal(loaded(folder, "unnamed"), {f"X{i + 1}": rows[n] for i, n in enumerate(("x1", "x2", "x3"))})


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(folder: Path, name: str) -> None:
    with pytest.raises(Unsupported, match=REFUSED[name]):
        _loaded(folder, name)


def test_levels_are_asked_for(folder: Path) -> None:
    with pytest.raises(Unsupported, match="--training"):
        loaded(folder, "two")
