"""loess: refused, with the reason and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.r.check import fit, loaded

SCRIPT = """
put("one", loess(y ~ x1, train))
put("two", loess(y ~ x1 + x2, train, surface = "direct"))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("loess"))


@pytest.mark.parametrize("name", ["one", "two"])
def test_refused_by_name(folder: Path, name: str) -> None:
    with pytest.raises(Unsupported, match=r"loess has no converter.*k-d tree.*fit a spline"):
        loaded(folder, name)
