"""Runs a worker's event loop: uvicorn's server with mlpack's own connections."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn

from ..settings import Settings
from .app import App
from .http import Connection, drop_unread
from .scheduler import Turns

MOST_AT_ONCE = 64
TICKS = 10
"""uvicorn ticks ten times a second."""


class Server(uvicorn.Server):
    """uvicorn's server; SIGTERM ends it after the answers to all accepted requests; calls `ready` once it listens."""

    def __init__(self, app: App, settings: Settings, ready: Callable[[], None], alone: Callable[[], bool]) -> None:
        super().__init__(_config(settings))
        self._app = app
        self._turns = Turns(app, settings.awake * 1e-6)
        self._settings = settings
        self._ready = ready
        self._alone = alone
        self._connecting: set[asyncio.Task[Any]] = set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM ends the server; the parent handles a keyboard interrupt."""
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        yield

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.should_exit = True

    async def startup(self, sockets: Any = None) -> None:
        """Listens, then calls `ready`.

        Does not use the loop's own servers: uvloop accepts one connection in each iteration, so that connections
        starve during long iterations.
        """
        await super().startup([])
        (self._listening,) = sockets
        asyncio.get_running_loop().add_reader(self._listening.fileno(), self._accept)
        self._ready()

    def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(MOST_AT_ONCE):
            try:
                connection, _ = self._listening.accept()
            except OSError:  # no connection is left, it was closed, or another worker was faster
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = loop.create_task(loop.connect_accepted_socket(self._connection, connection))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    def _connection(self) -> Connection:
        return Connection(self._app, self._turns, self._settings, self.server_state)

    async def shutdown(self, sockets: Any = None) -> None:
        """Accepts no more connections, then answers the accepted requests."""
        asyncio.get_running_loop().remove_reader(self._listening.fileno())
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Checks for slow connections once a second, and for the parent's death."""
        if counter % TICKS == 0:
            now = time.monotonic()
            connections = [c for c in self.server_state.connections if isinstance(c, Connection)]
            for connection in connections:
                connection.sweep(now)
            drop_unread(connections)
            if self._alone():
                return True
        return await super().on_tick(counter)


def _config(settings: Settings) -> uvicorn.Config:
    """uvicorn's configuration without an application, as the connections have their own."""
    return uvicorn.Config(
        Connection,
        http=Connection,
        loop="uvloop",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=settings.grace,
    )
