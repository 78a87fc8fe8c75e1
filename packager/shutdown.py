"""Ends a command on SIGTERM or an interrupt, also while a library blocks the main thread and Python's handlers.

A thread receives the signal at once. It stops the running graphs, so that the main thread returns and cleans up as
usual; if the main thread does not, this thread cleans up and ends the process.
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
    """Makes SIGTERM and an interrupt end this process within two seconds; `say` prints the error of `give_up`."""
    _fails[:] = [say]
    atexit.register(_kill)
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    threading.Thread(target=_wait, args=(reads,), name="ending", daemon=True).start()


def on_end(stop: Callable[[], None]) -> None:
    """Registers `stop`, to be called when this process receives the signal."""
    _stops.append(stop)


def give_up(error: MlpackError) -> None:
    """Ends a command's process with the error, as its main thread is blocked; does nothing outside a command."""
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
    """Kills the child processes, removes temporary files, then ends this process."""
    _kill()
    cleaning = threading.Thread(target=atexit._run_exitfuncs, daemon=True)  # temporary folders are removed there
    cleaning.start()
    cleaning.join(CLEANING)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _kill() -> None:
    """Kills all running descendants of this process."""
    for process in _started():
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)


def _started() -> list[int]:
    """All descendants of this process."""
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
