"""recipes: every step that has a converter, and caret's train() behind a recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.r.check import assert_equal, fit, loaded, rows_in

SCRIPT = """
suppressMessages(library(recipes)); suppressMessages(library(caret))
x <- train[c("y", "x1", "x2", "x3", "ex")]
all <- train[c("y", "x1", "x2", "f", "g", "o", "lg")]
holed <- holes[c("y", "x1", "x2", "f", "g")]
baked <- function(r) suppressWarnings(prep(r))
put("scaled", baked(recipe(y ~ ., x) |> step_center(x1) |> step_scale(x1) |> step_normalize(x2) |>
  step_range(x3, min = -1, max = 2) |> step_range(ex, clipping = FALSE)))
put("curves", baked(recipe(y ~ ., x) |> step_log(x2, offset = 1) |> step_log(x3, base = 2) |> step_sqrt(ex) |>
  step_log(x1, signed = TRUE)))
put("bent", baked(recipe(y ~ ., x) |> step_inverse(x2, offset = 0.5) |> step_invlogit(x1) |>
  step_hyperbolic(ex, func = "tanh", inverse = FALSE) |> step_hyperbolic(x3, func = "sinh", inverse = FALSE)))
put("powers", baked(recipe(y ~ ., x) |> step_BoxCox(x2, ex) |> step_YeoJohnson(x1, x3)))
put("logit", baked(recipe(y ~ x1 + x2, transform(x, x2 = x2 / 11)) |> step_logit(x2)))
put("bases", baked(recipe(y ~ ., x) |> step_poly(x1, degree = 3) |> step_ns(x2, deg_free = 4) |>
  step_bs(x3, deg_free = 5)))
put("dummies", baked(recipe(y ~ ., all) |> step_dummy(f, o) |> step_dummy(g, one_hot = TRUE)))
put("levels", baked(recipe(y ~ ., all) |> step_novel(f) |> step_unknown(g) |> step_other(f, threshold = 0.19) |>
  step_ordinalscore(o) |> step_dummy(f, g)))
put("imputed", baked(recipe(y ~ ., holed) |> step_impute_mean(x1) |> step_impute_median(x2) |> step_impute_mode(f, g) |>
  step_dummy(all_nominal_predictors())))
put("rotated", baked(recipe(y ~ ., x) |> step_normalize(all_numeric_predictors()) |>
  step_pca(all_numeric_predictors(), num_comp = 2)))
put("joined", baked(recipe(y ~ ., all) |> step_dummy(g) |> step_interact(~ x1:starts_with("g_") + x1:x2) |>
  step_rm(f, o) |>
  step_ratio(x1, denom = denom_vars(x2)) |> step_relu(x2, shift = 3)))
k <- 2.5
put("mutated", baked(recipe(y ~ ., x) |> step_mutate(a = x1 * !!k + x2, b = a^2, x3 = pmin(x3, 4)) |>
  step_zv(all_predictors()) |>
  step_nzv(all_predictors()) |> step_corr(all_predictors(), threshold = 0.95) |> step_select(x1, b, x3) |>
  step_spatialsign(x1, b)))
put("roles", baked(recipe(y ~ ., x) |> update_role(ex, new_role = "id") |> step_center(x1)))
put("skipped", baked(recipe(y ~ ., x) |> step_log(y, offset = 9, skip = TRUE) |> step_sample(size = 50, skip = TRUE) |>
  step_center(x1)))
put("refused_cut", baked(recipe(y ~ ., x) |> step_discretize(x1)))
put("refused_factor", baked(recipe(y ~ ., all)))
put("refused_mean", baked(recipe(y ~ ., x) |> step_mutate(a = x1 - mean(x1))))
put("untrained", recipe(y ~ ., x) |> step_center(x1))
none <- trainControl(method = "none")
put("train_lm", train(recipe(y ~ x1 + x2 + g, train) |> step_normalize(x1, x2) |> step_dummy(g), data = train,
  method = "lm", trControl = none))
put("train_glm", train(recipe(yb ~ x1 + x2, train) |> step_ns(x1, deg_free = 3), data = train, method = "glm",
  trControl = none))
put("train_tree", train(recipe(y3 ~ x1 + x2 + g, train) |> step_center(x1), data = train, method = "rpart",
  trControl = none,
  tuneGrid = data.frame(cp = 0.01)))
"""
EQUAL = [
    *("scaled", "curves", "bent", "powers", "logit", "bases", "dummies", "levels", "imputed", "rotated", "joined"),
    *("mutated", "roles", "skipped", "train_lm", "train_glm", "train_tree"),
]
REFUSED = {
    "refused_cut": "step_discretize",
    "refused_factor": "column f",
    "refused_mean": "depends on all rows",
    "untrained": "prep",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT.replace("train(recipe", "caret::train(recipe"), tmp_path_factory.mktemp("recipe"))


@pytest.mark.parametrize("name", EQUAL)
def test_equal(folder: Path, name: str) -> None:
    rows = rows_in(folder / "rows.rds")
    if name == "logit":
        rows["x2"] = rows["x2"] / 11
    kinds = assert_equal(loaded(folder, name), rows)
    assert kinds["example"] == 200


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(folder: Path, name: str) -> None:
    with pytest.raises(Unsupported, match=REFUSED[name]):
        loaded(folder, name)
