"""ranger: probabilities, votes and means, factors as numbers, in order and as sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack_toolkit.converters.spec import Unreadable, Unsupported
from tests.converters.r.check import assert_equal, fit, levels_in, loaded, rows_in

SCRIPT = """
library(ranger)
set.seed(7)
forest <- function(...) ranger(..., num.trees = 30, num.threads = 1, seed = 11)
all <- ~ x1 + x2 + x3 + f + g + o + lg
for (mode in c("ignore", "order", "partition")) {
  put(paste0("mean_", mode), forest(update(all, y ~ .), train, respect.unordered.factors = mode))
  put(paste0("shares_", mode), forest(update(all, y3 ~ .), train, respect.unordered.factors = mode, probability = TRUE))
}
put("votes_partition", forest(update(all, y3 ~ .), train, respect.unordered.factors = "partition"))
put("columns", forest(x = train[c("x1", "f", "g")], y = train$y, respect.unordered.factors = "partition"))
put("matrix", forest(x = as.matrix(train[c("x1", "x2")]), y = train$yb, probability = TRUE))
put("dependent", forest(dependent.variable.name = "y", data = train[c("x1", "f", "y")],
  respect.unordered.factors = "order"))
put("extratrees", forest(update(all, y ~ .), train, splitrule = "extratrees"))
put("shallow", forest(update(all, yb ~ .), train, max.depth = 2, probability = TRUE, class.weights = c(1, 5)))
put("stumps", forest(y ~ x1, train, min.node.size = 1e4))
put("even", ranger(yb ~ x1 + x3, train, num.trees = 4, seed = 1))
put("text", forest(y ~ x1 + f, transform(train, f = as.character(f)), respect.unordered.factors = "order"))
put("quantiles", forest(y ~ x1 + x2, train, quantreg = TRUE))
put("numbered", forest(y ~ x1 + x2, transform(train, y = as.integer(y3) * 10), classification = TRUE))
# a class that the forest never saw, classes out of order
late <- train[order(train$y3, decreasing = TRUE), ]
put("late", forest(y3 ~ x1 + x2, late, probability = TRUE))
put("late_votes", forest(y3 ~ x1 + x2, late))
put("dropped", forest(y3 ~ x1 + x2, probability = TRUE,
  data = transform(train, y3 = factor(y3, levels = c("Z", "C", "A", "B")))))
wide <- local({ set.seed(3); w <- made(600)
  w$h <- factor(paste0("level", 100 + sample(53, 600, TRUE)), levels = paste0("level", 100 + 1:53))
  w$y <- w$y + (as.integer(w$h) %% 3); w })
saveRDS(wide, file.path(folder, "wide_rows.rds"))
put("wide", forest(y ~ h + x1, wide, respect.unordered.factors = "partition", splitrule = "extratrees"))
put("holes", if (packageVersion("ranger") >= "0.17.0") forest(y ~ x1 + x2 + x3 + o, holes)
  else forest(y ~ x1 + x2, train))
forget <- function(m) { m$forest$covariate.levels <- NULL; m }
put("forgets", forget(forest(y ~ x1 + f, train)))
put("forgets_sets", forget(forest(y ~ x1 + f, train, respect.unordered.factors = "partition")))
put("survival", forest(survival::Surv(ex, lg) ~ x1, train))
put("empty", forest(y ~ x1, train, write.forest = FALSE))
"""
MODES = ("ignore", "order", "partition")
EQUAL = [f"{what}_{mode}" for what in ("mean", "shares") for mode in MODES] + ["votes_partition"]
EQUAL += ["holes", "columns", "dependent", "extratrees", "shallow", "even", "text"]
ALONE = ["matrix", "late", "late_votes", "dropped", "quantiles", "numbered", "stumps"]
REFUSED = {"survival": "Survival", "empty": "write.forest = FALSE", "forgets_sets": "levels of the factor 'f'"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("ranger"))


@pytest.mark.parametrize("name", EQUAL)
def test_equal(folder: Path, name: str) -> None:
    model = loaded(folder, name, levels=levels_in(folder / "train.rds"))
    kinds = assert_equal(model, rows_in(folder / "rows.rds"))
    assert kinds["example"] == 200


@pytest.mark.parametrize("name", ALONE)
def test_equal_without_the_training_frame(folder: Path, name: str) -> None:
    assert_equal(loaded(folder, name), rows_in(folder / "rows.rds"))


def test_equal_with_many_levels(folder: Path) -> None:
    assert_equal(loaded(folder, "wide", levels=levels_in(folder / "wide_rows.rds")), rows_in(folder / "wide_rows.rds"))


def test_text_without_levels_is_refused(folder: Path) -> None:
    with pytest.raises(Unreadable, match="'f' holds text"):
        assert_equal(loaded(folder, "forgets"), rows_in(folder / "rows.rds"))


def test_quantiles_are_refused(folder: Path) -> None:
    with pytest.raises(Unsupported, match="quantiles"):
        loaded(folder, "quantiles", arguments={"type": "quantiles"})


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(folder: Path, name: str) -> None:
    with pytest.raises(Unsupported, match=REFUSED[name]):
        loaded(folder, name)
