"""randomForest: votes and means, cutoffs, factors of all sizes, by formula and by columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.r.check import assert_equal, fit, levels_in, loaded, rows_in

SCRIPT = """
suppressPackageStartupMessages(library(randomForest))
set.seed(7)
forest <- function(...) randomForest(..., ntree = 30)
all <- ~ x1 + x2 + x3 + f + g + o + lg
put("class", forest(update(all, y3 ~ .), train))
put("two", forest(update(all, yb ~ .), train))
put("even", randomForest(yb ~ x1 + x3 + g, train, ntree = 4, cutoff = c(.5, .5)))
put("regression", forest(update(all, y ~ .), train))
put("corrected", forest(y ~ x1 + x2 + g, train, corr.bias = TRUE))
put("cutoff", forest(update(all, y3 ~ .), train, cutoff = c(.6, .3, .1)))
put("omitted", forest(update(all, y ~ .), holes, na.action = na.omit))
put("filled", forest(update(all, yb ~ . - lg), holes, na.action = na.roughfix, importance = TRUE))
put("frame", forest(train[c("x1", "f", "o", "x3")], train$y3))
put("frame_number", forest(train[c("x1", "g", "o")], train$y))
put("matrix", forest(as.matrix(train[c("x1", "x2", "x3")]), train$yb))
put("unnamed", forest(unname(as.matrix(train[c("x1", "x2", "x3")])), train$y))
put("functions", forest(y ~ x2 + log(x2) + x1 + I(x1^2) + offset(ex), train))
put("shallow", forest(y ~ x1 + f, train, maxnodes = 5))
put("stumps", forest(y ~ x1, train, nodesize = 1e4))
put("combined", combine(forest(yb ~ x1 + f, train), forest(yb ~ x1 + f, train)))
put("strange_names", forest(x = setNames(train[c("x1", "f")], c("a b", "x-y")), y = train$y))
wide <- local({ set.seed(3); w <- made(600)
  w$h <- factor(paste0("level", 100 + sample(53, 600, TRUE)), levels = paste0("level", 100 + 1:53))
  w$k <- factor(paste0("k", sample(33, 600, TRUE)), levels = paste0("k", 1:33))
  w$y <- w$y + (as.integer(w$h) %% 3) - (as.integer(w$k) %% 2)
  w$y12 <- factor(letters[1 + (as.integer(w$k) + (w$x1 > 0)) %% 12]); w })
saveRDS(wide, file.path(folder, "wide_rows.rds"))
put("wide", forest(y ~ h + k + x1, wide, nodesize = 2))
put("wide_class", forest(factor(y > 0) ~ h + k + x1, wide))
put("twelve", forest(y12 ~ k + x1 + g, wide))
put("seven", forest(factor(letters[1 + as.integer(k) %% 7]) ~ k + x1 + g, wide))
put("text", forest(y ~ x1 + f, transform(train, f = as.character(f))))
put("empty", forest(y ~ x1 + f, train, keep.forest = FALSE))
put("unsupervised", forest(~ x1 + x2, train))
gone <- forest(y ~ x1 + o, train)
environment(gone$terms) <- globalenv()
put("gone", gone)
# R's own labels, where no two classes are equal
for (name in c("class", "even", "cutoff")) {
  m <- readRDS(file.path(folder, paste0(name, ".rds"))); p <- unclass(predict(m, wide, "prob"))
  p <- sweep(p, 2, m$forest$cutoff, "/")
  single <- rowSums(p == apply(p, 1, max)) == 1
  stopifnot(predict(m, wide)[single] == colnames(p)[max.col(p, "first")][single], sum(single) > 300)
}
"""
EQUAL = [
    *("class", "two", "even", "regression", "corrected", "cutoff", "omitted", "filled", "frame", "frame_number"),
    *("functions", "shallow", "stumps", "combined"),
]
REFUSED = {
    "text": "text column f",
    "empty": "keep.forest = FALSE",
    "unsupervised": "unsupervised",
    "gone": "does not store the levels of the factor 'o'",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("randomforest"))


@pytest.mark.parametrize("name", EQUAL)
def test_equal(folder: Path, name: str) -> None:
    model = loaded(folder, name, levels=levels_in(folder / "train.rds"))
    kinds = assert_equal(model, rows_in(folder / "rows.rds"))
    assert kinds["example"] == 200


@pytest.mark.parametrize("name", ["wide", "wide_class", "seven", "twelve"])
def test_equal_with_many_levels_and_classes(folder: Path, name: str) -> None:
    assert_equal(loaded(folder, name), rows_in(folder / "wide_rows.rds"))


def test_equal_by_a_matrix(folder: Path) -> None:
    rows = rows_in(folder / "rows.rds")
    assert_equal(loaded(folder, "matrix"), {name: rows[name] for name in ("x1", "x2", "x3")})
    assert_equal(loaded(folder, "unnamed"), {"1": rows["x1"], "2": rows["x2"], "3": rows["x3"]})


def test_equal_by_names_that_are_no_words(folder: Path) -> None:
    rows = rows_in(folder / "rows.rds")
    assert_equal(loaded(folder, "strange_names"), {"a b": rows["x1"], "x-y": rows["f"]})


def test_equal_with_a_cutoff_given_to_predict(folder: Path) -> None:
    given = {"arguments": {"cutoff": [0.1, 0.2, 0.7]}, "levels": levels_in(folder / "train.rds")}
    assert_equal(loaded(folder, "class", **given), rows_in(folder / "rows.rds"))


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(folder: Path, name: str) -> None:
    with pytest.raises(Unsupported, match=REFUSED[name]):
        loaded(folder, name)
