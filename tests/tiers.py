"""Which tests a run holds: `make check` those that start no process and three builds, `make all` all of them.

Of many alike a run takes a fixed share, by name: `make test` a third or a sixth of those marked `full`, `make check` a
sixth of those that fit and convert a model.
"""

from __future__ import annotations

import inspect
import re
import zlib
from collections.abc import Iterable
from functools import cache
from types import ModuleType
from typing import Any

import pytest

SHARE = 3
FEW = 6
FITS = re.compile(r"tests\.converters|tests\.cases")
"""Words of a module that fits and converts models."""
STARTS = re.compile(
    r"build_model|import build\b|build\(|subprocess|Worker\b|worker\b|serving|judge|"
    r"Rscript|fit\(SCRIPT|_session|rds\.gz"
)
"""Words of a module that starts a process or makes a bundle."""
ALONE = ("warm", "tmp_path_factory", "pytestconfig")
"""Fixtures of the whole run that make nothing."""


def third(names: Iterable[str]) -> list[Any]:
    """Parameters of a test: always the same third of the names, and the others for `--full`."""
    return _share(names, SHARE)


def sixth(names: Iterable[str]) -> list[Any]:
    """As `third`, of tests that take longer."""
    return _share(names, FEW)


def _share(names: Iterable[str], share: int) -> list[Any]:
    chosen = {name: _drawn(name, share) for name in names}
    return [name if always else pytest.param(name, marks=pytest.mark.full) for name, always in chosen.items()]


def _drawn(name: str, share: int) -> bool:
    return zlib.crc32(name.encode()) % share == 0


def keep(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Takes those out that this run leaves; a test that is named on the command line stays."""
    named = any("::" in word for word in config.args)
    if config.getoption("--full") or named:
        return
    left = [item for item in items if item.get_closest_marker("full")]
    if config.getoption("--quick"):
        left = [item for item in items if not _is_quick(item)]
    config.hook.pytest_deselected(items=left)
    out = set(map(id, left))
    items[:] = [item for item in items if id(item) not in out]


def _is_quick(item: pytest.Item) -> bool:
    if item.get_closest_marker("quick"):
        return True
    if item.get_closest_marker("slow") or item.get_closest_marker("full") or not isinstance(item, pytest.Function):
        return False
    source = _source(item.module)
    if STARTS.search(source) or _shared(item) or _chooses_shared(item):
        return False
    return not FITS.search(source) or _drawn(item.nodeid.rpartition("/")[2], FEW)


@cache
def _source(module: ModuleType) -> str:
    return f"{module.__name__}\n{inspect.getsource(module)}"


def _shared(item: pytest.Function) -> bool:
    """Whether it needs what is made for the whole run."""
    found = item._fixtureinfo.name2fixturedefs
    return any(d.scope == "session" and name not in ALONE for name, each in found.items() for d in each)


def _chooses_shared(item: pytest.Function) -> bool:
    """Whether a parameter is the name of such a fixture, which the test then takes by its name."""
    manager = item.session._fixturemanager
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    words = [each for each in parameters if isinstance(each, str)]
    return any(d.scope == "session" for word in words for d in manager.getfixturedefs(word, item) or ())
