"""Stops a graph that runs or loads for too long, as the server does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from time import perf_counter
from typing import Any

from mlpack_toolkit.runtimes.server.transport.deadline import Watch

from . import shutdown
from .errors import DamagedError, LateError, MlpackError, UsageError

VARIABLE = "MLPACK_GRAPH_SECONDS"
SECONDS = 600.0
PATIENCE = 1.0
"""Seconds for ONNX Runtime to stop after the request: it stops between two nodes, but not within one."""


class Clock(Watch):
    """Stops runs and loads that are too long; ends the command where that does not help."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def look(self, now: float) -> None:
        """Stops tasks that began too long ago; ends a command's process for one that does not stop."""
        super().look(now)
        for task, since in self.running():
            if now - since > self.seconds + PATIENCE:
                shutdown.give_up(late(task, self.seconds))


@cache
def clock() -> Clock:
    """The running clock of this process; raises `UsageError` where the variable is not a number."""
    found = Clock(_seconds())
    found.start()
    shutdown.on_end(found.stop)
    return found


def _seconds() -> float:
    said = os.environ.get(VARIABLE, "")
    try:
        seconds = float(said or SECONDS)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise UsageError(f"the variable {VARIABLE} must be a number of seconds above 0, not {said!r}")
    return seconds


def late(task: Any, seconds: float) -> MlpackError:
    """The error for a stopped graph. `task`: ONNX Runtime's options of the run or load."""
    more = f"where it needs more time, set the variable {VARIABLE}"
    if hasattr(task, "terminate"):
        return LateError(f"the graph gave no answer within {seconds:g} s and was stopped; {more}")
    return DamagedError(f"ONNX Runtime did not load the graph within {seconds:g} s and was stopped; {more}")


@contextmanager
def timed(loading: Any = None) -> Iterator[Callable[[], None]]:
    """Stops a run inside the block that takes too long; `loading`: the options of a load. Gives a restart function.

    Raises `LateError` for a run and `DamagedError` for a load, in place of ONNX Runtime's error.
    """
    watch = clock()
    task = watch.begin(perf_counter()) if loading is None else watch.begin_load(loading, perf_counter())
    try:
        yield lambda: watch.restart(task, perf_counter())
    except Exception as error:
        if perf_counter() - watch.since(task) > watch.seconds:
            raise late(task, watch.seconds) from error
        raise
    finally:
        watch.end(task)
