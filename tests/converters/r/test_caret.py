"""caret: train() around models of other kinds, by formula and by columns, with its preparations; preProcess itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.r.check import assert_equal, fit, loaded, rows_in

SCRIPT = """
suppressMessages(library(caret))
none <- trainControl(method = "none")
odds <- trainControl(method = "none", classProbs = TRUE)
x <- train[c("x1", "x2", "x3")]
two <- train$yb; three <- train$y3
made_by <- function(...) suppressWarnings(suppressMessages(caret::train(...)))
put("lm", made_by(y ~ x1 + f * g + o + lg + log(x2), data = train, method = "lm", trControl = none))
put("lm_factors", made_by(train[c("x1", "f", "lg")], train$y, method = "lm", trControl = none))
put("bounds", made_by(y ~ x1 + x2, data = train, method = "lm",
  trControl = trainControl(method = "none", predictionBounds = c(-0.2, 0.5))))
put("glm_pca", made_by(x, two, method = "glm", trControl = none,
  preProcess = c("center", "scale", "pca", "spatialSign")))
put("glm_box", made_by(yb ~ x2 + x3 + ex, data = train, method = "glm", trControl = none,
  preProcess = c("BoxCox", "center")))
put("earth_two", made_by(x, two, method = "earth", trControl = none, tuneGrid = data.frame(nprune = 8, degree = 1)))
put("earth_three", made_by(x, three, method = "earth", trControl = none, tuneGrid = data.frame(nprune = 8, degree = 1)))
holed <- x; holed$x2[1:50] <- NA; holed$still <- 1
put("filled", made_by(holed, train$y, method = "lm", trControl = none, preProcess = c("zv", "center", "medianImpute")))
put("filled_formula", made_by(y ~ x1 + x2 + g, data = holes, method = "lm", trControl = none, na.action = na.pass,
  preProcess = "medianImpute"))
put("tree", made_by(y3 ~ x1 + x2 + g, data = train, method = "rpart", trControl = none,
  tuneGrid = data.frame(cp = 0.005)))
put("tree_columns", made_by(train[c("x1", "g", "f")], train$y, method = "rpart", trControl = none,
  tuneGrid = data.frame(cp = 0.005)))
put("forest", made_by(yb ~ x1 + x2 + x3, data = train, method = "rf", ntree = 30, trControl = none,
  tuneGrid = data.frame(mtry = 2)))
put("ranger", made_by(y3 ~ x1 + x2 + g, data = train, method = "ranger", num.trees = 20, trControl = odds,
  tuneGrid = data.frame(mtry = 2, splitrule = "gini", min.node.size = 5)))
put("gbm", made_by(yb ~ x1 + x2, data = train, method = "gbm", trControl = none, verbose = FALSE,
  tuneGrid = data.frame(n.trees = 20, interaction.depth = 2, shrinkage = 0.1, n.minobsinnode = 10)))
put("net", made_by(yb ~ x1 + x2, data = train, method = "nnet", trControl = none, trace = FALSE,
  preProcess = c("center", "scale"), tuneGrid = data.frame(size = 3, decay = 0.1)))
put("svm", made_by(yb ~ x1 + x2, data = train[1:150, ], method = "svmRadial", trControl = odds,
  tuneGrid = data.frame(sigma = 0.3, C = 1)))
put("glmnet", made_by(y3 ~ x1 + x2 + g, data = train, method = "glmnet", trControl = none,
  tuneGrid = data.frame(alpha = 0.5, lambda = 0.02)))
put("svm_plain", made_by(yb ~ x1 + x2, data = train[1:150, ], method = "svmRadial", trControl = none,
  tuneGrid = data.frame(sigma = 0.3, C = 1)))
put("knn", made_by(x, two, method = "knn", trControl = none, tuneGrid = data.frame(k = 5)))
neighbours <- preProcess(x, c("center", "scale"))
neighbours$method$knnImpute <- c("x1", "x2", "x3") # to fit it, caret wants a package more
put("imputed", neighbours)
put("gam", made_by(y ~ x1 + x2, data = train, method = "gam", trControl = none,
  tuneGrid = data.frame(select = FALSE, method = "GCV.Cp")))
put("yeo", preProcess(x, c("YeoJohnson", "center", "scale")))
put("box", preProcess(x, c("BoxCox", "expoTrans")))
put("all", preProcess(holed, c("zv", "range", "medianImpute"), rangeBounds = c(-1, 2)))
put("signed", preProcess(x, c("center", "scale", "spatialSign")))
"""
EQUAL = [
    *(
        "lm",
        "lm_factors",
        "bounds",
        "glm_pca",
        "glm_box",
        "earth_two",
        "earth_three",
        "filled",
        "tree_columns",
        "forest",
    ),
    *("ranger", "gbm", "net", "svm", "glmnet", "yeo", "box", "all", "signed"),
]
REFUSED = {"svm_plain": "classProbs", "knn": "method knn", "imputed": "knnImpute", "gam": "fit it without caret"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("caret"))


@pytest.mark.parametrize("name", EQUAL)
def test_equal(folder: Path, name: str) -> None:
    rows = rows_in(folder / "rows.rds")
    rows["still"] = rows["x1"] * 0 + 1
    kinds = assert_equal(loaded(folder, name), rows)
    assert kinds["example"] == 200


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(folder: Path, name: str) -> None:
    with pytest.raises(Unsupported, match=REFUSED[name]):
        assert_equal(loaded(folder, name), rows_in(folder / "rows.rds"))


def test_splits_of_the_model_inside_are_probed(folder: Path) -> None:
    assert assert_equal(loaded(folder, "tree"), rows_in(folder / "rows.rds"))["threshold"] > 5


def test_missing_cells_are_filled_where_they_are_passed_on(folder: Path) -> None:
    model = loaded(folder, "filled_formula", arguments={"na.action": "na.pass"})
    assert_equal(model, rows_in(folder / "rows.rds"))
    assert_equal(loaded(folder, "filled_formula"), rows_in(folder / "rows.rds"))
