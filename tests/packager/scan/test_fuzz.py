"""Pickles that a grammar writes out of allowed names: none makes the worker do what a model must not.

`MLPACK_FUZZ_SECONDS=3600 MLPACK_FUZZ_SEED=7 pytest -k fuzz tests/packager/scan` runs it for hours, over other pickles.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mlpack_toolkit.packager.original.worker import environment
from tests.mutation import SEED

SECONDS = float(os.environ.get("MLPACK_FUZZ_SECONDS", "5"))
ROOT = Path(__file__).parents[3]
STILL = 60.0
"""Seconds without a new pickle after which a process counts as hung in native code."""


@dataclass
class Found:
    """What all processes of a run found. `crashes`: where they died, and how often; `dead`: at which pickles."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    crashes: Counter[str] = field(default_factory=Counter)
    dead: list[int] = field(default_factory=list)
    slowest: float = 0.0

    def add(self, folder: Path) -> None:
        kept = folder / "counts.json"
        if kept.exists():
            told = json.loads(kept.read_text())
            self.counts.update(told["counts"])
            self.faults += told["faults"]
            self.slowest = max(self.slowest, told["slowest"])
            kept.unlink()


def fuzz(folder: Path, seconds: float, seed: int = SEED, off: str = "nothing") -> Found:
    """What is found in that time; a process that dies is followed by one that goes on behind its pickle."""
    found, end, first = Found(), time.monotonic() + seconds, 0
    while first == 0 or time.monotonic() < end:
        code, log = _process(folder, seed, first, max(1.0, end - time.monotonic()), off)
        found.add(folder)
        number, _, step = (folder / "now").read_text().partition(" ")
        first = int(number) + 1
        if code == 0:
            break
        assert code < 0 or (code == 1 and _ended_by_library(log)), log[-3000:]
        found.crashes[f"{step.strip()}: {_place(log) or code}"] += 1
        found.dead.append(int(number))
        found.counts["crashes"] += 1
    return found


def _ended_by_library(log: str) -> bool:
    """Whether a library ended the process, and no fault of the fuzzer's own."""
    return "Traceback (most recent call last)" not in log


def _process(folder: Path, seed: int, first: int, seconds: float, off: str) -> tuple[int, str]:
    program = [sys.executable, "-W", "ignore", "-m", "tests.packager.scan.fuzzing"]
    surroundings = {**environment(folder), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    log = folder / "log"
    with log.open("wb") as file:
        words = [str(seed), str(first), str(seconds), off]
        child = subprocess.Popen([*program, *words], cwd=folder, env=surroundings, stdout=file, stderr=file)
        try:
            _wait(child, folder / "now")
        finally:
            child.kill()
            child.wait()
    return child.returncode, log.read_text(errors="replace")


def _wait(child: subprocess.Popen[bytes], now: Path) -> None:
    """Until the process ends, or stands still."""
    seen, since = "", time.monotonic()
    while child.poll() is None and time.monotonic() - since < STILL:
        time.sleep(0.1)
        at = now.read_text() if now.exists() else ""
        if at != seen:
            seen, since = at, time.monotonic()


def _place(log: str) -> str:
    """The innermost place in Python at which a process died."""
    found = re.findall(r'File "[^"]*?([^"/]+/[^"/]+)", line (\d+) in (\w+)', log)
    return " < ".join(f"{name}:{line} {function}" for name, line, function in found[:2])


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    told = fuzz(tmp_path_factory.mktemp("fuzz"), SECONDS)
    print(json.dumps({"counts": told.counts, "crashes": told.crashes, "slowest scan": told.slowest}, indent=1))
    return told


def test_nothing_that_is_loaded_or_used_does_what_a_model_must_not(found: Found) -> None:
    assert found.faults == []


def test_the_pickles_reach_every_step(found: Found) -> None:
    """A grammar whose pickles are all refused would prove nothing."""
    for step in ("grammar", "changed", "spliced", "passed the scan", "guard: loaded", "guard: refused", "used"):
        assert found.counts[step] > 5, (step, found.counts)
    assert found.counts["passed the scan"] > found.counts["programs"] / 20
    assert found.counts["known to a converter"] > 0


def test_a_scan_is_bounded_in_time(found: Found) -> None:
    assert found.slowest < 2


@pytest.mark.parametrize("off, deed", [("names", "os.system|subprocess.Popen|the canary"), ("rules", "the canary")])
def test_the_fuzzer_fires_the_canary_where_the_guard_is_off(tmp_path: Path, off: str, deed: str) -> None:
    told = fuzz(tmp_path, 10 * SECONDS, off=off)
    assert any(re.search(f"load: ({deed})", fault) for fault in told.faults), told.counts
