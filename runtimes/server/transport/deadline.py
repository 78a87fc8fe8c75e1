"""Stops runs of a graph that take too long: ONNX Runtime terminates a run before its next node.

Each run has its own options for that, so that no other run is stopped in its place.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from ...engine.engine import STOP, run_options


class Watch:
    """The current runs of all threads, with their start times by `time.perf_counter`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[Any, float] = {}

    def start(self) -> None:
        """Starts to watch, in a thread that ends with the process."""
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def begin(self, since: float) -> Any:
        """The options of this thread's run; `terminate` shows whether it was stopped."""
        options = run_options()
        STOP.set(options)
        self._running[options] = since
        return options

    def begin_load(self, options: Any, since: float) -> Any:
        """Begins the load of a graph with these session options."""
        self._running[options] = since
        return options

    def restart(self, options: Any, since: float) -> None:
        """Restarts the clock for the next run."""
        self._running[options] = since

    def since(self, options: Any) -> float:
        """The start time of the run or load."""
        return self._running[options]

    def running(self) -> list[tuple[Any, float]]:
        """All current runs and loads with their start times."""
        return list(self._running.copy().items())

    def stop(self) -> None:
        """Stops all current runs and loads."""
        for options, _ in self.running():
            _stop(options)

    def end(self, options: Any) -> None:
        """Ends the run or load, late or not."""
        STOP.set(None)
        del self._running[options]

    def _watch(self) -> None:
        while True:
            time.sleep(min(1.0, self._seconds / 4))
            self.look(time.perf_counter())

    def look(self, now: float) -> None:
        """Stops the runs and loads that began too long ago."""
        for options, since in self.running():
            if now - since > self._seconds:
                _stop(options)


def _stop(options: Any) -> None:
    """Stops a run, or a load where this ONNX Runtime can."""
    if hasattr(options, "terminate"):
        options.terminate = True
    elif hasattr(options, "set_load_cancellation_flag"):
        options.set_load_cancellation_flag(True)
