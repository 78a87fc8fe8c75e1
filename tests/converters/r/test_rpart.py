"""rpart: every method, surrogates, priors and losses."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.r.check import assert_equal, fit, loaded, rows_in

SCRIPT = """
library(rpart)
set.seed(7)
holey <- made(200)
for (v in c("x1", "x2", "x3", "f", "g", "o")) holey[[v]][sample(nrow(holey), 50)] <- NA
saveRDS(holey, file.path(folder, "holey.rds"))
all <- ~ x1 + x2 + x3 + f + g + o + lg
deep <- rpart.control(cp = .0005, minsplit = 5)
put("anova", rpart(update(all, y ~ .), train, control = deep))
put("holes", rpart(update(all, y ~ .), holes, control = deep))
for (used in 0:2) put(paste0("surrogates_", used),
  rpart(update(all, y3 ~ .), holes, control = rpart.control(cp = .001, minsplit = 5, usesurrogate = used)))
put("surrogates_many", rpart(update(all, y ~ .), holes, control = rpart.control(cp = .001, maxsurrogate = 12)))
put("surrogates_none", rpart(update(all, y ~ .), holes, control = rpart.control(cp = .001, maxsurrogate = 0)))
put("weights", rpart(update(all, y ~ .), holes, weights = ex^6, control = deep))
put("class_two", rpart(update(all, yb ~ .), train, control = deep))
put("priors", rpart(update(all, y3 ~ .), holes, control = deep, parms = list(prior = c(.7, .2, .1))))
put("loss", rpart(update(all, y3 ~ .), train, control = deep,
  parms = list(loss = matrix(c(0, 1, 9, 5, 0, 1, 20, 8, 0), 3), split = "information")))
put("logical_class", rpart(lg ~ x1 + y + f, train, method = "class", control = deep))
put("poisson", rpart(yc ~ x1 + x2 + g + offset(log(ex)), train, method = "poisson", control = deep))
put("rates", rpart(cbind(ex, yc) ~ x1 + x2 + f, train, method = "poisson", control = deep))
put("exp", rpart(survival::Surv(ex, lg) ~ x1 + x2 + f + o, train, control = deep))
put("functions", rpart(y ~ log(x2) + I(x1^2) + cut(x3, c(0, 4, 9, 21)) + factor(x3) + I(x1 > 0), train, control = deep))
put("text", local({ t <- train; t$f <- as.character(t$f); rpart(y ~ f + x1 + lg, t, control = deep) }))
put("root", rpart(y ~ x1 + f, train, control = rpart.control(cp = .99)))
put("root_class", rpart(y3 ~ x1 + x2, train, control = rpart.control(cp = .99)))
put("pruned", prune(rpart(update(all, y ~ .), holes, control = deep), .01))
put("kept", rpart(y ~ x1 + f, train, model = TRUE, x = TRUE))
put("many", local({ set.seed(3); w <- made(600); w$h <- factor(paste0("level", sample(70, 600, TRUE)))
  w$y <- w$y + (as.integer(w$h) %% 3); rpart(y ~ h + x1, w, control = deep) }))
saveRDS(local({ set.seed(3); w <- made(600); w$h <- factor(paste0("level", sample(70, 600, TRUE))); w }),
  file.path(folder, "many_rows.rds"))
means <- list(
  init = function(y, offset, parms, wt) list(y = c(y), parms = NULL, numresp = 1, numy = 1,
    summary = function(yval, dev, wt, ylevel, digits) "mean"),
  eval = function(y, wt, parms) list(label = sum(y * wt) / sum(wt), deviance = sum(wt * (y - sum(y * wt) / sum(wt))^2)),
  split = function(y, wt, x, parms, continuous) {
    n <- length(y); left <- cumsum(y * wt)[-n]; lw <- cumsum(wt)[-n]
    if (continuous) list(goodness = abs(left / lw - (sum(y * wt) - left) / (sum(wt) - lw)), direction = rep(-1, n - 1))
    else { m <- tapply(y, x, mean); u <- sort(unique(x)); o <- order(m)
      list(goodness = rep(1, length(u) - 1), direction = u[o]) }
  })
put("own", rpart(y ~ x1 + x2, train, method = means, control = rpart.control(cp = .01)))
put("matrix_term", rpart(y ~ poly(x1, 2), train))
"""
EQUAL = [
    *("anova", "holes", "surrogates_0", "surrogates_1", "surrogates_2", "surrogates_many", "surrogates_none"),
    *("weights", "class_two", "priors", "loss", "logical_class", "poisson", "rates", "exp", "functions", "text"),
    *("root", "root_class", "pruned", "kept", "own"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("rpart"))


@pytest.mark.parametrize("name", EQUAL)
def test_equal(folder: Path, name: str) -> None:
    model = loaded(folder, name)
    kinds = assert_equal(model, rows_in(folder / "rows.rds"))
    assert kinds["example"] == 200


@pytest.mark.parametrize("name", ["surrogates_0", "surrogates_1", "surrogates_2", "weights"])
def test_equal_where_much_is_missing(folder: Path, name: str) -> None:
    assert_equal(loaded(folder, name), rows_in(folder / "holey.rds"))


def test_equal_with_many_levels(folder: Path) -> None:
    assert_equal(loaded(folder, "many"), rows_in(folder / "many_rows.rds"))


def test_a_column_inside_a_matrix_is_refused(folder: Path) -> None:
    with pytest.raises(Unsupported, match="not a single variable"):
        loaded(folder, "matrix_term")
