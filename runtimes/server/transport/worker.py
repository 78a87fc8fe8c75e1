"""One worker: a model, its routes, and a server on the socket that the parent made."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

import uvloop

from ...engine.tuning import PROOFS, Tuning, tuning_in
from ..bundle_info import Described
from ..model import Model
from ..protocol.routes import other_of, routes_of
from ..settings import Settings
from .app import App
from .deadline import Watch
from .metrics import Board
from .server import Server

GARBAGE = 20_000
"""Objects between two runs of the cyclic garbage collector, as a request creates no cycles."""


def work(
    described: Described, settings: Settings, listening: socket.socket, board: Board, ready: Callable[[], None]
) -> None:
    """Serves until SIGTERM; calls `ready` once it accepts requests. Raises `Damaged` and `NoProvider`."""
    tuning = tuning_of(described, settings.workers)
    model = Model(described, settings.threads, settings.provider, dict(settings.provider_options), tuning)
    parent = os.getppid()
    app = App(routes_of(model, settings, board), other_of(model), settings, board)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    server = Server(app, settings, ready, lambda: os.getppid() != parent)
    app.watch.start()
    end = _grpc(model, settings, board, app.watch)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve(listening))
    end(settings.grace)


def tuning_of(described: Described, workers: int) -> Tuning | None:
    """The choice of `mlpack tune` for this kind of machine, said on standard error; None where there is none, or where
    the threads of all workers are more than the processors, which it was not measured with."""
    found = tuning_in(described.folder / PROOFS, described.identity, described.variant) if described.tuned else None
    if found is None or max(found.threads, 1) * workers > len(os.sched_getaffinity(0)):
        return None
    words = f"threads {found.threads}, nodes at a time {found.inter}, level {found.level}"
    print(f"mlpack: tuned for this kind of machine: {words}", file=sys.stderr, flush=True)
    return found


def _grpc(model: Model, settings: Settings, board: Board, watch: Watch) -> Callable[[float], Any]:
    """Starts gRPC where it is configured; returns the function that stops it."""
    if not settings.grpc_port:
        return lambda grace: None
    from .grpc_service import start

    return start(model, settings, board.beside(), watch)
