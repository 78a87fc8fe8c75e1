"""kmeans: the nearest centre, ties and missing cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.converters.r.check import asked, assert_equal, fit, loaded, rows_in, run

SCRIPT = """
x <- train[c("x1", "x2", "x3")]
put("three", kmeans(x, 3))
put("macqueen", kmeans(x, 5, algorithm = "MacQueen", iter.max = 50))
put("lloyd", kmeans(x[1:2], 4, algorithm = "Lloyd", iter.max = 100))
put("one", kmeans(x, 1))
put("column", kmeans(x["x3"], 4))
put("unnamed", kmeans(unname(as.matrix(x)), 2))
tied <- kmeans(x[1:2], 4, iter.max = 50)
tied$centers[] <- c(0, 2, 0, 2, 0, 0, 2, 2)
put("tied", tied)
"""
EQUAL = ["three", "macqueen", "lloyd", "one", "column", "tied"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("clusters"))


@pytest.mark.parametrize("name", EQUAL)
def test_equal(folder: Path, name: str) -> None:
    kinds = assert_equal(loaded(folder, name), rows_in(folder / "rows.rds"))
    assert kinds["example"] == 200 and kinds["missing"]


def test_columns_without_names(folder: Path) -> None:
    rows = rows_in(folder / "rows.rds")
    assert_equal(loaded(folder, "unnamed"), {f"V{i + 1}": rows[f"x{i + 1}"] for i in range(3)})


def test_the_first_of_the_nearest(folder: Path) -> None:
    rows = {"x1": np.array([1.0, 0.0, 1.0, np.nan]), "x2": np.array([1.0, 2.0, 3.0, 0.0])}
    model = loaded(folder, "tied")
    _, _, want, signature = asked(model, rows)
    assert want["label"][:4].tolist() == [1, 3, 3, 0]
    assert run(model, signature, rows)["label"].tolist() == [1, 3, 3, 0]
    assert run(model, signature, rows)["label"].dtype == np.int64
    assert run(model, signature, rows)["status"].tolist() == [0, 0, 0, 1]
