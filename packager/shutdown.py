"""How a command ends when it is told to, also while a library holds the main thread and Python's handlers must wait.

A thread hears of the signal at once. It stops the graphs that run, so that the main thread comes back and cleans up as
ever; where it does not, the thread removes what would be left and ends the process.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .errors import MlpackError

PATIENCE = 0.4
"""Seconds for the main thread to end by itself."""
CLEANING = 0.8
_stops: list[Callable[[], None]] = []
_fails: list[Callable[[MlpackError], Any]] = []


def guard(say: Callable[[MlpackError], Any]) -> None:
    """From now on SIGTERM and an interrupt end this process in two seconds; `say` prints the error of `give_up`."""
    _fails[:] = [say]
    atexit.register(_kill)
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    threading.Thread(target=_wait, args=(reads,), name="ending", daemon=True).start()


def on_end(stop: Callable[[], None]) -> None:
    """`stop` is called once this process is told to end."""
    _stops.append(stop)


def give_up(error: MlpackError) -> None:
    """Ends the process with the error, where it is a command's own and its main thread cannot do so."""
    for say in _fails:
        with contextlib.suppress(SystemExit):
            say(error)
        _end(error.exit_code)


def _wait(reads: int) -> None:
    number = 0
    while number not in (signal.SIGTERM, signal.SIGINT):
        number = os.read(reads, 1)[0]
    for stop in _stops:
        stop()
    time.sleep(PATIENCE)
    _end(128 + number)


def _end(code: int) -> None:
    """Removes what is temporary, ends what was started, and then this process."""
    _kill()
    cleaning = threading.Thread(target=atexit._run_exitfuncs, daemon=True)  # temporary folders are removed there
    cleaning.start()
    cleaning.join(CLEANING)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _kill() -> None:
    """Ends all that this process started and that still runs."""
    for process in _started():
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)


def _started() -> list[int]:
    """All processes below this one."""
    children: dict[int, list[int]] = {}
    for process, parent in _parents():
        children.setdefault(parent, []).append(process)
    found, todo = [], [os.getpid()]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            yield int(path.parent.name), int(path.read_text(errors="replace").rpartition(")")[2].split()[1])
