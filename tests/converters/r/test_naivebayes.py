"""naiveBayes: numbers, factors and truth values, Laplace's correction, what is missing, and densities that vanish."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.r.check import asked, assert_equal, fit, loaded, rows_in

SCRIPT = """
library(e1071)
put("three", naiveBayes(y3 ~ x1 + x2 + x3 + f + g + o, train))
put("two", naiveBayes(yb ~ x1 + lg + f, train, laplace = 1))
put("holes", naiveBayes(y3 ~ x1 + x2 + f, holes, na.action = na.pass))
put("frame", naiveBayes(train[c("x1", "f", "lg")], train$y3, laplace = 0.5))
put("matrix", naiveBayes(as.matrix(train[c("x1", "x2")]), train$yb))
put("text", naiveBayes(y3 ~ f + x1, transform(train, f = as.character(f))))
put("truth", naiveBayes(lg ~ x1 + f, train))
put("rare", naiveBayes(y3 ~ k + x1, transform(train, k = factor(ifelse(y3 == "A", "p", "q")))))
put("constant", naiveBayes(y3 ~ k + x1, transform(train, k = as.double(y3 == "A"))))
put("empty", naiveBayes(y3 ~ x1, transform(train, y3 = factor(y3, levels = c("A", "B", "C", "none")))))
put("single", naiveBayes(k ~ x1, transform(train, k = factor(c("one", rep(c("two", "three"), 300))[1:600]))))
"""
EQUAL = ["three", "two", "holes", "frame", "matrix", "text", "truth"]
REFUSED = {"empty": "had no rows", "single": "too few rows"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("naivebayes"))


@pytest.mark.parametrize("name", EQUAL)
def test_equal(folder: Path, name: str) -> None:
    kinds = assert_equal(loaded(folder, name), rows_in(folder / "rows.rds"))
    assert kinds["example"] == 200 and kinds["missing"] > 0 and kinds["large"] > 0


@pytest.mark.parametrize("name", ["rare", "constant"])
def test_shares_and_deviations_of_nothing(folder: Path, name: str) -> None:
    rows = rows_in(folder / "rows.rds")
    first = rows["y3"] == "A"
    rows["k"] = first.astype(float) if name == "constant" else first.astype(object)
    if name == "rare":
        rows["k"][:] = ["p" if cell else "q" for cell in first]
    assert_equal(loaded(folder, name), rows)
    assert_equal(loaded(folder, name, arguments={"threshold": 0.01, "eps": 0.02}), rows)


def test_every_row_is_answered(folder: Path) -> None:
    answers = asked(loaded(folder, "three"), rows_in(folder / "rows.rds"))
    assert not answers[1] and set(answers[2]) == {"label", "probabilities"}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(folder: Path, name: str) -> None:
    with pytest.raises(Unsupported, match=REFUSED[name]):
        loaded(folder, name)
