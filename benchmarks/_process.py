"""A command run to its end, with what it took: of the clock, of the processors, of memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable
MLPACK = (PYTHON, "-m", "mlpack_toolkit")
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Usage:
    """`wall`, `cpu`: seconds of the command and of all that it started. `peak`: bytes, its processes' peaks added."""

    wall: float
    cpu: float
    peak: int


def run(command: Sequence[object]) -> Usage:
    """What the command took; RuntimeError with its last words where it fails."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ORT_DISABLE_TELEMETRY": "1"}
    with tempfile.TemporaryFile() as said:
        start = perf_counter()
        process = subprocess.Popen(list(map(str, command)), stdout=said, stderr=subprocess.STDOUT, env=environment)
        peaks: dict[int, int] = {}
        while True:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            _note_peaks(process.pid, peaks)
            sleep(POLL_SECONDS)
        wall = perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{' '.join(map(str, command))} fails:\n{said.read().decode(errors='replace')[-3000:]}")
    return Usage(wall, used.ru_utime + used.ru_stime, sum(peaks.values()))


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
