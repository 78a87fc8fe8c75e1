"""The server as an ASGI application: routes, bounds, counters. What a route computes lies elsewhere."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter, thread_time
from typing import Any

import orjson

from .errors import Refusal
from .infer import Reply
from .metrics import Board
from .settings import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Answer = Callable[[Mapping[bytes, bytes], bytes], Reply]
LATE = "mlpack.late"
"""In a request's scope: it came when the server had taken as many as it may."""
INLINE_BYTES = 64 << 10
INLINE_SECONDS = 0.005
"""Larger bodies, and models that take more of the processor's time, are answered in a thread: the loop stays live."""
THREADS = 2
BOOKKEEPING = ("health", "metrics")
"""Routes that are answered at any load, and never counted as in flight."""


@dataclass(frozen=True)
class Route:
    """What one path answers; `label`: its name in the metrics."""

    label: str
    get: Callable[[], Reply] | None = None
    post: Answer | None = None

    def methods(self) -> bytes:
        """The methods as the header `Allow` lists them."""
        return b", ".join([*([b"GET", b"HEAD"] if self.get else []), *([b"POST"] if self.post else [])])


class Gone(Exception):
    """The sender went away before its request was whole."""


class App:
    """Routes by path, one of them for all other paths."""

    def __init__(self, routes: Mapping[str, Route], other: Route, settings: Settings, board: Board) -> None:
        self._routes = routes
        self._other = other
        self._settings = settings
        self._board = board
        self._pool = ThreadPoolExecutor(THREADS, "answer")
        self._threads = 0
        self._buffered = 0
        self._pace = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        begun = perf_counter()
        route = self._routes.get(scope["path"], self._other)
        self._board.enter()
        status, rows = 499, 0
        try:
            reply = await self._reply(route, scope, receive)
            status, rows = reply.status, reply.rows
        except Gone:
            return
        finally:
            self._board.leave(route.label, status, perf_counter() - begun, rows)
        await _send(send, reply, scope["method"] == "HEAD")

    async def _reply(self, route: Route, scope: Scope, receive: Receive) -> Reply:
        try:
            method = scope["method"]
            if method == "POST" and route.post is not None:
                return await self._answer(route.post, scope, receive)
            if method in ("GET", "HEAD") and route.get is not None:
                return route.get()
            if route is self._other:
                raise Refusal(f"there is nothing at {scope['path'][:200]!r}", 404, "route")
            self._board.refuse("route")
            return _error(f"{method} is not for this path", 405, ((b"allow", route.methods()),))
        except Refusal as refusal:
            self._board.refuse(refusal.reason)
            later = ((b"retry-after", b"1"),) if refusal.status == 503 else ()
            return _error(str(refusal), refusal.status, later)
        except Gone:
            raise
        except Exception:
            traceback.print_exc(file=sys.stderr)
            return _error("the server made a mistake: its log has the details", 500)

    async def _answer(self, post: Answer, scope: Scope, receive: Receive) -> Reply:
        if scope.get(LATE):
            raise Refusal("the server is at its limit: try again later", 503, "overload")
        headers = dict(scope["headers"])
        if headers.get(b"content-encoding", b"identity") not in (b"identity", b""):
            raise Refusal("this server reads no compressed bodies: send them as they are", 415, "encoding")
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        if not message.get("more_body"):
            body: bytes = message["body"]
            self._bounded(len(body))
            return await self._inline(post, headers, body)
        return await self._long(post, headers, message["body"], receive)

    def _bounded(self, size: int) -> None:
        if size > self._settings.body:
            raise Refusal(f"the body has more than {self._settings.body} bytes: send fewer rows", 413, "too_large")

    async def _inline(self, post: Answer, headers: Mapping[bytes, bytes], body: bytes) -> Reply:
        if len(body) > INLINE_BYTES or self._pace > INLINE_SECONDS:
            return await self._in_thread(post, headers, body)
        begun = thread_time()
        try:
            return post(headers, body)
        finally:
            self._pace += 0.1 * (thread_time() - begun - self._pace)

    async def _long(self, post: Answer, headers: Mapping[bytes, bytes], first: bytes, receive: Receive) -> Reply:
        """The reply to a body that comes in pieces."""
        announced = headers.get(b"content-length", b"0")
        self._bounded(int(announced) if announced.isdigit() else 0)
        body, more = bytearray(), True
        try:
            while True:
                body += first
                self._buffered += len(first)
                self._bounded(len(body))
                if self._buffered > self._settings.buffer:
                    raise Refusal("too many bodies are on their way: try again later", 503, "overload")
                if not more:
                    return await self._inline(post, headers, bytes(body))
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                first, more = message.get("body", b""), message.get("more_body", False)
        finally:
            self._buffered -= len(body)

    async def _in_thread(self, post: Answer, headers: Mapping[bytes, bytes], body: bytes) -> Reply:
        if self._threads >= self._settings.requests:
            raise Refusal("the server is at its limit: try again later", 503, "overload")
        self._threads += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, self._timed, post, headers, body)
        future.add_done_callback(self._thread_done)
        try:
            return await asyncio.wait_for(asyncio.shield(future), self._settings.seconds)
        except TimeoutError:
            future.cancel()
            raise Refusal(f"no answer within {self._settings.seconds} s: send fewer rows", 503, "time") from None

    def _timed(self, post: Answer, headers: Mapping[bytes, bytes], body: bytes) -> Reply:
        begun = thread_time()
        try:
            return post(headers, body)
        finally:
            if len(body) <= INLINE_BYTES:
                self._pace += 0.1 * (thread_time() - begun - self._pace)

    def _thread_done(self, future: asyncio.Future[Reply]) -> None:
        self._threads -= 1
        if not future.cancelled():
            future.exception()


def _error(message: str, status: int, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Reply:
    return Reply(orjson.dumps({"error": message}), status, headers=headers)


async def _send(send: Send, reply: Reply, bodyless: bool) -> None:
    length = (b"content-length", str(len(reply.body)).encode())
    headers = [(b"content-type", reply.kind), length, *reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if bodyless else reply.body})
