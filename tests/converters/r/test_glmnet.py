"""glmnet and cv.glmnet: every family, one penalty and the whole path, and what offsets and sparse products do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.r.check import asked, assert_equal, fit, loaded, rows_in

SCRIPT = """
suppressMessages(library(glmnet))
x <- as.matrix(train[c("x1", "x2", "x3", "ex")])
put("elnet", glmnet(x, train$y))
put("one", glmnet(x, train$y, lambda = 0.01))
put("raw", glmnet(unname(x), train$y, alpha = 0.5, standardize = FALSE, intercept = FALSE))
put("lognet", glmnet(x, train$yb, family = "binomial"))
put("numbers", glmnet(x, as.integer(train$yb) - 1, family = "binomial", lambda = 0.02))
put("fishnet", glmnet(x, train$yc, family = "poisson"))
put("multnet", glmnet(x, train$y3, family = "multinomial"))
put("mrelnet", glmnet(x, as.matrix(train[c("y", "yp")]), family = "mgaussian"))
put("coxnet", glmnet(x, cbind(time = train$yp, status = as.integer(train$lg)), family = "cox"))
put("probit", glmnet(x, train$yb, family = binomial("probit")))
put("cv", cv.glmnet(x, train$y))
put("cv_lognet", cv.glmnet(x, train$yb, family = "binomial", type.measure = "auc"))
put("cv_coxnet", cv.glmnet(x, cbind(time = train$yp, status = as.integer(train$lg)), family = "cox"))
put("offset", glmnet(x, train$yc, family = "poisson", offset = log(train$ex)))
put("relaxed", glmnet(x, train$yb, family = "binomial", relax = TRUE))
put("cv_relaxed", cv.glmnet(x, train$y, relax = TRUE))
"""
EQUAL: list[tuple[str, Any]] = [
    ("elnet", 0.0234),
    ("elnet", [0.5, 0.05]),
    ("one", None),
    ("lognet", None),
    ("lognet", 0.03),
    ("numbers", None),
    ("fishnet", 0.01),
    ("multnet", 0.02),
    ("mrelnet", 0.05),
    ("coxnet", 0.01),
    ("probit", 0.01),
    ("cv", None),
    ("cv_lognet", None),
    ("cv_relaxed", "lambda.min"),
    ("cv_coxnet", "lambda.min"),
]
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("offset", {}, "newoffset"),
    ("multnet", {}, "choose one"),
    ("elnet", {"s": "lambda.min"}, "use a number"),
    ("elnet", {"s": 0.1, "exact": True}, "exact = TRUE"),
    ("cv_relaxed", {"gamma": "best"}, "gamma.1se"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("glmnet"))


@pytest.mark.parametrize(("name", "s"), EQUAL)
def test_equal(folder: Path, name: str, s: Any) -> None:
    model = loaded(folder, name, arguments={} if s is None else {"s": s})
    kinds = assert_equal(model, rows_in(folder / "rows.rds"))
    assert kinds["example"] == 200 and kinds["missing"] > 0


def test_a_relaxed_fit(folder: Path) -> None:
    model = loaded(folder, "relaxed", arguments={"s": 0.02, "gamma": 0.3})
    assert_equal(model, rows_in(folder / "rows.rds"))


def test_a_matrix_without_names(folder: Path) -> None:
    rows = rows_in(folder / "rows.rds")
    assert_equal(loaded(folder, "raw"), {f"V{i + 1}": rows[n] for i, n in enumerate(("x1", "x2", "x3", "ex"))})


def test_the_path_has_a_column_per_penalty(folder: Path) -> None:
    model, rows = loaded(folder, "elnet"), rows_in(folder / "rows.rds")
    assert_equal(model, rows)
    assert asked(model, rows)[2]["prediction"].shape[1] > 10


@pytest.mark.parametrize(("name", "arguments", "message"), REFUSED)
def test_refused_by_name(folder: Path, name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        loaded(folder, name, arguments=arguments)
