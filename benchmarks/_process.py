"""A command run to its end, with what it took: of the clock, of the processors, of memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable
MLPACK = (PYTHON, "-m", "mlpack_toolkit")
POLL_SECONDS = 0.02
LAST_WORDS = 30_000
BLOCK = 512
"""Bytes of one block in what the kernel says of a process."""


@dataclass(frozen=True)
class Usage:
    """`wall`, `cpu`: seconds of the command and of all that it started. `peak`: bytes, its processes' peaks added.

    `together`: the most bytes that they had at one time, memory that several share counted once; 0: not measured.
    `disk_read`, `disk_written`: bytes that came from the disk (not from the system's cache), and that went to it.
    """

    wall: float
    cpu: float
    peak: int
    together: int = 0
    disk_read: int = 0
    disk_written: int = 0


def interpreter(variable: str, wanted: str) -> str:
    """The interpreter that a variable names; raises `SystemExit`. `wanted`: what it must be, in words."""
    found = os.environ.get(variable, "")
    if not found:
        raise SystemExit(f"set {variable} to an interpreter {wanted}")
    return found


def answer(command: Sequence[str]) -> Any:
    """The JSON object in the last line of a command; raises `Failed`."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise Failed(command, done.returncode, done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


class Failed(RuntimeError):
    """A command that ended with another code than 0. `said`: its last words."""

    def __init__(self, command: Sequence[object], code: int, said: str) -> None:
        super().__init__(f"{' '.join(map(str, command))} fails:\n{said}")
        self.code, self.said = code, said


def run(command: Sequence[object], together: bool = False) -> Usage:
    """What the command took, `together` too where it is asked for; `Failed` where it fails."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ORT_DISABLE_TELEMETRY": "1"}
    with tempfile.TemporaryFile() as said:
        start = perf_counter()
        process = subprocess.Popen(list(map(str, command)), stdout=said, stderr=subprocess.STDOUT, env=environment)
        peaks: dict[int, int] = {}
        most = 0
        while True:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            _note_peaks(process.pid, peaks)
            most = max(most, _shared(process.pid)) if together else 0
            sleep(POLL_SECONDS)
        wall = perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise Failed(command, process.returncode, said.read().decode(errors="replace")[-LAST_WORDS:])
    cpu, disk = used.ru_utime + used.ru_stime, (used.ru_inblock * BLOCK, used.ru_oublock * BLOCK)
    return Usage(wall, cpu, sum(peaks.values()), most, *disk)


def _shared(pid: int) -> int:
    """The bytes of the process and of all below it; a page that n processes share counts 1/n in each."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    own = sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
    return own + sum(_shared(int(child)) for child in children)


def _note_peaks(pid: int, peaks: dict[int, int]) -> None:
    """Raises the peak of the process and of all below it (`ru_maxrss` would count our own memory as the child's)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            peaks[pid] = max(peaks.get(pid, 0), int(line.split()[1]) * 1024)
    for child in children:
        _note_peaks(int(child), peaks)
