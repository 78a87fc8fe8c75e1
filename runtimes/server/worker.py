"""One worker: a model, its routes, and uvicorn on a socket that the parent made."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from .app import App
from .described import Described
from .http import IDLE_SECONDS, Gate, Server, protocol
from .metrics import Board
from .model import Model
from .routes import OTHER, routes_of
from .settings import Settings

GARBAGE = 20_000
"""Objects between two looks for circles among them: a request makes none."""


def work(
    described: Described, settings: Settings, listening: socket.socket, board: Board, ready: Callable[[], None]
) -> None:
    """Serves until SIGTERM; `ready` is called once requests are answered. Raises `Damaged`."""
    model = Model(described, settings.threads)
    parent = os.getppid()
    app = App(routes_of(model, settings, board), OTHER, settings, board)
    gate = Gate(app, settings)
    config = uvicorn.Config(
        gate,
        http=protocol(gate),
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
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=settings.grace,
    )
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    server = Server(config, ready, lambda: os.getppid() != parent)
    end = _grpc(model, settings, board)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[listening]))
    end(settings.grace)


def _grpc(model: Model, settings: Settings, board: Board) -> Callable[[float], Any]:
    """Starts gRPC where it is asked for; gives the function that ends it."""
    if not settings.grpc_port:
        return lambda grace: None
    from .grpc_service import start

    return start(model, settings, board.beside())
