"""What runs for too long is stopped: a graph ends before its next node once its run is told to terminate.

Each run has options of its own for that, so that none is ever stopped in place of another.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from ...engine.session import STOP, run_options


class Watch:
    """All that is being answered, in any thread, and since when by `time.perf_counter`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[Any, float] = {}

    def start(self) -> None:
        """Begins to watch, in a thread that ends with the process."""
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def begin(self, since: float) -> Any:
        """The options of all that this thread now runs; `terminate` tells whether it was stopped."""
        options = run_options()
        STOP.set(options)
        self._running[options] = since
        return options

    def begin_load(self, options: Any, since: float) -> Any:
        """The same for the load of a graph with these options of a session."""
        self._running[options] = since
        return options

    def restart(self, options: Any, since: float) -> None:
        """What ran is over, and the next begins."""
        self._running[options] = since

    def since(self, options: Any) -> float:
        """When it began."""
        return self._running[options]

    def running(self) -> list[tuple[Any, float]]:
        """All that runs now, and since when."""
        return list(self._running.copy().items())

    def stop(self) -> None:
        """Stops all that runs now."""
        for options, _ in self.running():
            _stop(options)

    def end(self, options: Any) -> None:
        """It is over, in good time or not."""
        STOP.set(None)
        del self._running[options]

    def _watch(self) -> None:
        while True:
            time.sleep(min(1.0, self._seconds / 4))
            self.look(time.perf_counter())

    def look(self, now: float) -> None:
        """Stops what began too long ago."""
        for options, since in self.running():
            if now - since > self._seconds:
                _stop(options)


def _stop(options: Any) -> None:
    """Stops a run, or a load where this ONNX Runtime can."""
    if hasattr(options, "terminate"):
        options.terminate = True
    elif hasattr(options, "set_load_cancellation_flag"):
        options.set_load_cancellation_flag(True)
