"""R's files, read without R: as R wrote them, and whatever else somebody calls one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from mlpack_toolkit.converters.rds import Fault, plain, read
from mlpack_toolkit.converters.rds_writer import write

SCRIPT = """
folder <- commandArgs(TRUE)[[1]]
fit <- local({ k <- 2; lm(mpg ~ I(wt * k) + factor(cyl), mtcars) })
f <- compiler::cmpfun(function(x) { y <- x; while (y > 0) y <- y - 1; y })
value <- list(1:10, letters, c(1.5, NA, NaN, -0), c(TRUE, NA), fit, f, as.raw(1:3), 1i, quote(a + b), new.env(),
  as.character(1:5))
for (way in c("gzip", "bzip2", "xz")) saveRDS(value, file.path(folder, paste0(way, ".rds")), compress = way)
saveRDS(value, file.path(folder, "none.rds"), compress = FALSE)
saveRDS(value, file.path(folder, "old.rds"), version = 2)
"""
NAMES = ("gzip", "bzip2", "xz", "none", "old")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one value in every form that R writes."""
    folder = tmp_path_factory.mktemp("rds")
    (folder / "save.R").write_text(SCRIPT)
    subprocess.run(["Rscript", "--vanilla", folder / "save.R", folder], check=True, capture_output=True, timeout=60)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_what_r_wrote(folder: Path, name: str) -> None:
    items = read((folder / f"{name}.rds").read_bytes()).root.value
    assert items[0].value.tolist() == list(range(1, 11))
    assert items[1].value[:3] == ["a", "b", "c"]
    assert np.isnan(items[2].value[1:3]).all() and np.signbit(items[2].value[3])
    assert items[4].text("class") == ["lm"]
    assert items[10].value == ["1", "2", "3", "4", "5"]


def test_written_and_read_again() -> None:
    value = {"a": np.arange(6.0).reshape(2, 3), "t": ["x", None, "\xfc"], "n": None, "l": [{"b": np.array([1, 2])}]}
    again = plain(read(write(value)).root)
    assert isinstance(again, dict)
    assert (again["a"] == value["a"]).all() and again["t"] == value["t"] and again["n"] is None
    assert again["l"][0]["b"].tolist() == [1, 2]


def test_cut_off_anywhere(folder: Path) -> None:
    whole = (folder / "none.rds").read_bytes()
    for end in range(0, len(whole) - 1, 7):
        with pytest.raises(Fault):
            read(whole[:end])


def test_changed_anywhere(folder: Path) -> None:
    """A fault, or some value: nothing else comes up."""
    whole, chance = (folder / "none.rds").read_bytes(), np.random.default_rng(0)
    faults = 0
    for _ in range(3000):
        changed = bytearray(whole)
        changed[chance.integers(14, len(whole))] = chance.integers(256)
        try:
            read(bytes(changed))
        except Fault:
            faults += 1
    assert faults > 100


def test_nested_without_end() -> None:
    with pytest.raises(Fault, match="nested too deeply"):
        read(write(None)[:14] + b"\0\0\0\x13\0\0\0\x01" * 100_000)
