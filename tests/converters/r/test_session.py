"""The R process: what a file does to it stays there, and every way in which it ends is told in a sentence.

A formula keeps its environment, and an environment may hold code that runs when somebody looks at a name in it.
"""

from __future__ import annotations

import json
from pathlib import Path
from time import monotonic

import pytest

from converters.r._program import SAFE_VERSION, rscript, version_of
from packager.errors import ConversionError, MlpackError, ModelError
from packager.worker import Limits, Worker
from tests.converters.r.check import fit

TRAPS = {
    "noise": 'cat("hello\\n"); message("hello"); 2',
    "hang": "repeat Sys.sleep(1)",
    "crash": "tools::pskill(Sys.getpid(), 11); Sys.sleep(5)",
    "quit": 'quit("no", 3)',
    "stop": 'stop("I will not")',
    "memory": "sum(numeric(1e10))",
    "home": 'writeLines("x", "~/was-here"); 2',
    "network": 'close(socketConnection("127.0.0.1", 9, open = "r", timeout = 1)); 2',
    "interface": 'length(readLines("/proc/net/dev")) - 1',
}
SCRIPT = "".join(
    f"""
put("{name}", local({{
  k <- 2
  m <- lm(y ~ I(x1 * k), train)
  delayedAssign("k", {{ {code} }}, assign.env = environment(formula(m)))
  m$model <- NULL
  m
}}))
"""
    for name, code in TRAPS.items()
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models that do something when they are looked at."""
    return fit(SCRIPT, tmp_path_factory.mktemp("traps"))


def load(path: Path, scratch: Path, limits: Limits | None = None) -> dict[str, object]:
    """What the worker says of the model."""
    import sys

    with Worker(sys.executable, scratch, limits or Limits(seconds=60)) as worker:
        return worker.call("load", model=str(path), kind="other", names=[], versions={}, code=[])


def test_noise_does_no_harm(folder: Path, tmp_path: Path) -> None:
    assert load(folder / "noise.rds", tmp_path)["title"] == "lm"
    assert "hello" in (tmp_path / "worker.log").read_text()


def test_a_hang_ends_at_the_limit(folder: Path, tmp_path: Path) -> None:
    start = monotonic()
    with pytest.raises(ModelError, match="no answer within 5 s"):
        load(folder / "hang.rds", tmp_path, Limits(seconds=5))
    assert monotonic() - start < 30


@pytest.mark.parametrize(("name", "said"), [("crash", "signal 11"), ("quit", "exit status 3")])
def test_an_end_is_told(folder: Path, tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ModelError, match=f"R ended .{said}. while it worked on the model"):
        load(folder / f"{name}.rds", tmp_path)


def test_what_r_says_reaches_the_user(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="R says: I will not"):
        load(folder / "stop.rds", tmp_path)


def test_memory_is_limited(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MlpackError, match="cannot allocate"):
        load(folder / "memory.rds", tmp_path, Limits(seconds=60, memory=6 * 2**30))


def test_the_home_is_its_own(folder: Path, tmp_path: Path) -> None:
    load(folder / "home.rds", tmp_path)
    assert not (Path.home() / "was-here").exists()


@pytest.mark.skipif(version_of(rscript("")) >= SAFE_VERSION, reason="this R runs no code while it reads")
def test_an_older_r_is_told(folder: Path, tmp_path: Path) -> None:
    told = load(folder / "noise.rds", tmp_path)
    assert "CVE-2024-27322" in json.dumps(told["notes"]) and "sandbox" in json.dumps(told["notes"])
