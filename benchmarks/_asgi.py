"""`python -m benchmarks._asgi FOLDER PORT bare|bounded`: the server's handlers as ASGI applications on stock uvicorn.

`bare` parses, asks the model and replies. `bounded` keeps what `runtimes/server` promises besides: bounds on bodies
and on requests, counters, the clock that stops a graph, threads for large bodies. Both lack its bounds on connections,
on slow senders and on unread answers, and its parent, which replaces a dead worker.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import uvicorn

from mlpack_toolkit.runtimes.engine.errors import Refusal
from mlpack_toolkit.runtimes.server.bundle_info import describe
from mlpack_toolkit.runtimes.server.model import Model
from mlpack_toolkit.runtimes.server.protocol.infer import Reply
from mlpack_toolkit.runtimes.server.protocol.routes import other_of, routes_of
from mlpack_toolkit.runtimes.server.settings import Settings
from mlpack_toolkit.runtimes.server.transport.app import App, Exchange, Route
from mlpack_toolkit.runtimes.server.transport.metrics import Board
from mlpack_toolkit.runtimes.server.transport.worker import GARBAGE

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class Bare:
    """An ASGI application: parse, ask the model, reply."""

    def __init__(self, routes: Mapping[str, Route]) -> None:
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        pieces = [piece async for piece in _pieces(receive)]
        await _send(send, self._reply(scope, b"".join(pieces)))

    def _reply(self, scope: Scope, body: bytes) -> Reply:
        route = self._routes.get(scope["path"])
        try:
            if route is not None and route.post is not None and scope["method"] == "POST":
                return route.post(dict(scope["headers"]), body)
            if route is not None and route.get is not None and scope["method"] == "GET":
                return route.get()
        except Refusal as error:
            return Reply(str(error).encode(), error.status)
        return Reply(b"", 404)


class Bounded:
    """An ASGI application that leaves bounds and counters to the server's `App`."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        exchange = Exchange()
        exchange.headers, exchange.method = dict(scope["headers"]), scope["method"].encode()
        self._app.begin_turn()
        self._app.direct(exchange, scope["raw_path"])
        reply = self._app.take(exchange)
        if reply is None:
            reply = await self._reply(exchange, receive)
        self._app.done(exchange, reply.status, reply.rows)
        await _send(send, reply)

    async def _reply(self, exchange: Exchange, receive: Receive) -> Reply:
        async for piece in _pieces(receive):
            self._app.add(exchange, piece)
            if refused := self._app.grown(exchange):
                return refused
        exchange.whole = True
        if self._app.is_quick(exchange):
            return self._app.answer(exchange)
        return await self._app.answer_in_thread(exchange)


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        yield message.get("body", b"")


async def _send(send: Send, reply: Reply) -> None:
    length = (b"content-length", str(len(reply.body)).encode())
    headers = [(b"content-type", reply.kind), length, *reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


def main() -> None:
    """Serves until SIGTERM."""
    folder, port, kind = sys.argv[1:]
    model, settings, board = Model(describe(Path(folder))), Settings(), Board(1)
    routes = routes_of(model, settings, board)
    app = App(routes, other_of(model), settings, board)
    app.watch.start()
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    uvicorn.run(
        Bare(routes) if kind == "bare" else Bounded(app),
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="critical",
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )


if __name__ == "__main__":
    main()
