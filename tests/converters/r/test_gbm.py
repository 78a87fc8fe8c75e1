"""gbm: every distribution, missing cells and unknown levels, the number of trees that R takes by default."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.r.check import assert_equal, fit, loaded, rows_in

SCRIPT = """
suppressPackageStartupMessages({ library(gbm); library(survival) })
set.seed(7)
boost <- function(..., n.trees = 40) gbm(..., n.trees = n.trees, interaction.depth = 3, n.minobsinnode = 4, n.cores = 1)
holes$y01 <- as.integer(holes$yb) - 1; train$y01 <- as.integer(train$yb) - 1
holes$lg <- NULL
all <- ~ x1 + x2 + x3 + f + g + o
for (name in c("gaussian", "laplace", "tdist")) put(name, boost(update(all, y ~ .), name, holes))
for (name in c("bernoulli", "adaboost", "huberized")) put(name, boost(update(all, y01 ~ .), name, holes))
put("poisson", boost(yc ~ x1 + f + offset(log(ex)), "poisson", train))
put("quantile", boost(update(all, y ~ .), list(name = "quantile", alpha = .3), holes))
put("pairwise", boost(y01 ~ x1 + x2 + g, list(name = "pairwise", group = "f", metric = "conc"), train))
put("coxph", boost(Surv(ex, lg) ~ x1 + x2 + f, "coxph", train))
put("multinomial", suppressWarnings(boost(update(all, y3 ~ .), "multinomial", holes)))
put("two_classes", suppressWarnings(boost(factor(y01) ~ x1 + f, "multinomial", train)))
put("tested", boost(y ~ x1 + x2 + g, "gaussian", train, train.fraction = .5, n.trees = 200))
put("crossed", boost(y ~ x1 + g, "gaussian", train, cv.folds = 3, n.trees = 60))
put("functions", boost(y ~ log(x2) + I(x1^2) + sqrt(x1 + 1) + f, "gaussian", train))
put("fit", suppressWarnings(gbm.fit(holes[c("x1", "f", "o", "x2")], holes$y, distribution = "gaussian", n.trees = 30,
  interaction.depth = 3, shrinkage = .1, verbose = FALSE)))
put("levels", boost(y ~ h + x1, "gaussian", local({ w <- train; w$h <- factor(paste0("l", 1:600 %% 90)); w })))
tested <- readRDS(file.path(folder, "tested.rds"))
stopifnot(suppressMessages(predict(tested, train)) == predict(tested, train, which.min(tested$valid.error)))
rows <- made(200); rows$h <- factor(paste0("l", sample(0:95, 200, TRUE)))
saveRDS(rows, file.path(folder, "more.rds"))
"""
EQUAL = [
    *("gaussian", "laplace", "tdist", "bernoulli", "adaboost", "huberized", "poisson", "quantile", "pairwise", "coxph"),
    *("multinomial", "two_classes", "tested", "crossed", "functions", "fit", "levels"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("gbm"))


@pytest.mark.parametrize("name", EQUAL)
def test_equal(folder: Path, name: str) -> None:
    kinds = assert_equal(loaded(folder, name), rows_in(folder / "more.rds"))
    assert kinds["example"] == 200
    assert kinds["missing"]


@pytest.mark.parametrize("count", [1, 17, 9999])
def test_equal_with_a_number_of_trees(folder: Path, count: int) -> None:
    assert_equal(loaded(folder, "bernoulli", arguments={"n.trees": count}), rows_in(folder / "rows.rds"))


def test_the_best_number_of_trees_is_not_the_last(folder: Path) -> None:
    whole, best = (loaded(folder, "tested", arguments=a).form.fields for a in ({"n.trees": 200}, {}))
    assert 0 < len(best.numbers("roots")) < len(whole.numbers("roots"))


def test_several_numbers_of_trees_are_refused(folder: Path) -> None:
    with pytest.raises(Unsupported, match="must be one number"):
        loaded(folder, "gaussian", arguments={"n.trees": [1, 2]})
