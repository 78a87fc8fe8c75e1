"""The life of a worker's listening socket: from the first connection to the last answer."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..settings import Settings
from .app import App
from .http import Connection, ServerState, drop_unread
from .scheduler import Turns

MOST_AT_ONCE = 64
SWEEP_SECONDS = 1.0
"""Seconds between two checks for slow connections and for the parent process."""
DRAIN_SECONDS = 0.05
"""The same, after the server has stopped accepting connections."""


class Server:
    """Accepts connections until SIGTERM, then answers the requests that it has already taken."""

    def __init__(self, app: App, settings: Settings, ready: Callable[[], None], alone: Callable[[], bool]) -> None:
        """`ready` is called once the server listens; `alone` says whether the parent process is gone."""
        self._app = app
        self._turns = Turns(app, settings.awake * 1e-6)
        self._settings = settings
        self._ready = ready
        self._alone = alone
        self._state = ServerState()
        self._connecting: set[asyncio.Task[Any]] = set()

    async def serve(self, listening: socket.socket) -> None:
        """Serves until SIGTERM, or until the parent is gone; the socket is closed then.

        Accepts by itself: uvloop's own servers take one connection in each turn of the loop, and where the turns are
        long, connections starve.
        """
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, ended.set)
        loop.add_reader(listening.fileno(), self._accept, listening)
        self._ready()
        while not (ended.is_set() or self._alone()):
            self._sweep()
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), SWEEP_SECONDS)
        loop.remove_reader(listening.fileno())
        listening.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._drain(), self._settings.grace)
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one does not cut off gRPC, which ends after this

    def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(MOST_AT_ONCE):
            try:
                connection, _ = listening.accept()
            except OSError:  # none is left, the other side closed it, or another worker took it
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = loop.create_task(loop.connect_accepted_socket(self._connection, connection))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    def _connection(self) -> Connection:
        return Connection(self._app, self._turns, self._settings, self._state)

    def _sweep(self) -> None:
        now = time.monotonic()
        connections = list(self._state.connections)
        for connection in connections:
            connection.sweep(now)
        drop_unread(connections)

    async def _drain(self) -> None:
        """Waits until every connection is closed, and no thread works on a request any more."""
        if self._connecting:
            await asyncio.wait(set(self._connecting))
        for connection in list(self._state.connections):
            connection.shutdown()
        while self._state.connections or self._state.tasks:
            await asyncio.sleep(DRAIN_SECONDS)
            self._sweep()
