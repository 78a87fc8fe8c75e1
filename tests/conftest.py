"""What all tests share: a bundle from a fitted model, and the command line in a process of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import pytest

from mlpack_toolkit.packager.commands import build
from tests.make import build_model
from tests.once import once
from tests.order import long_first
from tests.quick import environment
from tests.tiers import keep
from tests.warm import run_mlpack, warm_processes, warm_tensorflow, warm_torch

USERS_CLOCK = build.SECONDS_PER_BATCH_SIZE
Run = Callable[..., tuple[int, dict[str, Any], str]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="all tests, also those of many alike")
    parser.addoption(
        "--quick", action="store_true", help="tests that start no process and make no bundle, three builds"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    keep(config, items)
    items[:] = long_first(items, getattr(config, "workerinput", {}).get("workercount", 1))


def pytest_configure(config: pytest.Config) -> None:
    """The tools of this run and of all that it starts, but for those that somebody has set up already."""
    for name, value in environment(config.rootpath / ".pytest_cache" / "ccache").items():
        os.environ.setdefault(name, value)


@pytest.fixture(scope="session", autouse=True)
def warm() -> Iterator[None]:
    """Workers and commands that have their modules imported when they start; builds that do once what is the same."""
    with warm_processes():
        yield


@pytest.fixture(scope="session")
def torch(warm: None) -> Iterator[None]:
    """Workers that have torch imported when they start."""
    with warm_torch():
        yield


@pytest.fixture(scope="session")
def tensorflow(warm: None) -> Iterator[None]:
    """Workers that have TensorFlow imported when they start."""
    with warm_tensorflow():
        yield


@pytest.fixture
def real_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds in this process are timed as long as a user's."""
    monkeypatch.setattr(build, "SECONDS_PER_BATCH_SIZE", USERS_CLOCK)


@pytest.fixture
def real_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that was compiled before is taken again."""
    monkeypatch.setenv("CCACHE_DISABLE", "1")


@pytest.fixture
def mlpack(tmp_path: Path) -> Run:
    """Runs `mlpack ARGUMENTS --json`; gives the exit code, the object on the last line, and standard error."""

    def run(*arguments: object) -> tuple[int, dict[str, Any], str]:
        done = run_mlpack(*arguments, "--json", cwd=tmp_path)
        lines = done.stdout.strip().splitlines()
        return done.returncode, json.loads(lines[-1]) if lines else {}, done.stderr

    return run


@pytest.fixture(scope="session")
def penguins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the penguins' model, its example, and its bundle (with both projects) below `dist/`."""
    from examples.penguins.train import train

    def fill(folder: Path) -> None:
        train(folder)
        build_model(folder / "penguins.joblib", folder / "penguins.parquet", folder / "dist", targets=None)

    return once(tmp_path_factory, "penguins", fill)
