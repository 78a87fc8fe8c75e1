"""prcomp and princomp: centring, scaling, fewer components, the formula interface."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.converters.r.check import assert_equal, fit, loaded, rows_in

SCRIPT = """
x <- train[c("x1", "x2", "x3", "ex")]
put("plain", prcomp(x))
put("scaled", prcomp(x, scale. = TRUE))
put("given", prcomp(x, center = c(1, 2, 3, 4), scale. = c(2, 1, 4, 0.5)))
put("raw", prcomp(x, center = FALSE))
put("two", prcomp(x, rank. = 2, scale. = TRUE))
put("one", prcomp(x, rank. = 1))
put("tol", prcomp(x, tol = 0.3))
put("formula", prcomp(~ x1 + x3, train, scale. = TRUE))
put("holes", prcomp(~ x1 + x2, holes, na.action = na.exclude))
put("unnamed", prcomp(unname(as.matrix(x[1:2]))))
put("princomp", princomp(x))
put("cor", princomp(x, cor = TRUE))
put("princomp_formula", princomp(~ x1 + x2 + x3, train, cor = TRUE))
put("log", prcomp(~ log(x2) + x1, train))
"""
EQUAL = [
    *("plain", "scaled", "given", "raw", "two", "one", "tol", "formula", "holes", "princomp", "cor"),
    "princomp_formula",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("components"))


@pytest.mark.parametrize("name", EQUAL)
def test_equal(folder: Path, name: str) -> None:
    kinds = assert_equal(loaded(folder, name), rows_in(folder / "rows.rds"))
    assert kinds["example"] == 200 and kinds["missing"]


def test_columns_without_names(folder: Path) -> None:
    rows = rows_in(folder / "rows.rds")
    assert_equal(loaded(folder, "unnamed"), {"V1": rows["x1"], "V2": rows["x2"]})


def test_a_calculated_column_is_an_input_as_for_r(folder: Path) -> None:
    rows = rows_in(folder / "rows.rds")
    assert_equal(loaded(folder, "log"), {"log(x2)": rows["x2"], "x1": rows["x1"]})
