"""Dispatches requests: routes, limits, counters; `http` reads and writes their bytes."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter, thread_time
from urllib.parse import unquote

import httptools
import orjson

from ...engine.errors import Refusal
from ..protocol.infer import Reply
from ..settings import Settings
from .deadline import Watch
from .metrics import Board

Answer = Callable[[Mapping[bytes, bytes], bytes], Reply]
INLINE_BYTES = 64 << 10
BLOCK = 64 << 10
INLINE_SECONDS = 0.005
"""Larger bodies, and models that take more processor time, are answered in a thread, so that the loop stays free."""
THREADS = 2
GONE = 499
"""Status in the metrics: the sender disconnected before the answer."""
MODELS = ("/v1/models/", "/v2/models/")
AT_LIMIT = "the server is at its limit: try again later"
RETRY = ((b"retry-after", b"1"),)


@dataclass(frozen=True)
class Route:
    """The handler of one path. `label`: its name in the metrics; `hint`: the message below the paths of models."""

    label: str
    get: Callable[[], Reply] | None = None
    post: Answer | None = None
    hint: str = ""

    def methods(self) -> bytes:
        """The methods as the header `Allow` lists them."""
        return b", ".join([*([b"GET", b"HEAD"] if self.get else []), *([b"POST"] if self.post else [])])


class Exchange:
    """One request. `whole`: it has fully arrived; `taken`: work on it has begun; `answered`: work on it is over."""

    __slots__ = (
        "_room",
        "answered",
        "begun",
        "buffered",
        "headers",
        "held",
        "keep",
        "method",
        "over",
        "path",
        "pieces",
        "route",
        "size",
        "taken",
        "whole",
    )
    route: Route
    path: str
    method: bytes
    keep: bool
    begun: float

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.pieces: list[bytes | bytearray] = []
        self.size = self.held = self.buffered = self._room = 0
        self.taken = self.whole = self.answered = self.over = False

    def add(self, piece: bytes) -> None:
        """Adds a piece of the body: a small first one as it is, the others in blocks of equal size.

        Blocks of many sizes, freed in any order, fragment the heap: the process held twice the bytes of its bodies.
        """
        self.size += len(piece)
        if not self.pieces and len(piece) <= BLOCK:
            self._keep(piece)
            return
        start = 0
        while start < len(piece):
            if not self.pieces or self._room == 0:
                self._keep(bytearray(BLOCK))
                self._room = BLOCK
            part = piece[start : start + self._room]
            filled = BLOCK - self._room
            self.pieces[-1][filled : filled + len(part)] = part  # type: ignore[index]
            self._room -= len(part)
            start += len(part)

    def _keep(self, block: bytes | bytearray) -> None:
        self.pieces.append(block)
        self.held += len(block)

    def body(self) -> bytes:
        """The whole body; releases its pieces."""
        last = self.pieces[-1] if self.pieces else b""
        if self._room and type(last) is bytearray:
            del last[BLOCK - self._room :]
            self._room = 0
        whole = bytes(self.pieces[0]) if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces = [whole]
        return whole


class App:
    """Routes by path, one of them for all other paths. Each request passes `take`, `grown`, `answer` and `done`."""

    def __init__(self, routes: Mapping[str, Route], other: Route, settings: Settings, board: Board) -> None:
        self._routes = routes
        self._other = other
        self._targets = {path.encode(): (route, path) for path, route in routes.items() if _is_plain(path)}
        self._settings = settings
        self._board = board
        self._pool = ThreadPoolExecutor(THREADS, "answer")
        self._taken = 0
        self._leaving = 0
        self._threads = 0
        self._buffered = 0
        self._pace = 0.0
        self.watch = Watch(settings.seconds)

    def direct(self, exchange: Exchange, target: bytes) -> None:
        """Finds the route; raises `ValueError` and `HttpParserError` where the target is not a URL."""
        found = self._targets.get(target)
        if found is None:
            path = path_of(target)
            found = self._routes.get(path, self._other), path
        exchange.route, exchange.path = found

    def take(self, exchange: Exchange) -> Reply | None:
        """Starts a request whose headers have arrived; the reply where it needs no body."""
        exchange.begun = perf_counter()
        exchange.taken = True
        self._taken += 1
        self._board.enter()
        try:
            if exchange.method != b"POST" or exchange.route.post is None:
                return self._without_body(exchange)
            if self._taken > self._settings.requests:
                raise Refusal(AT_LIMIT, 503, "overload")
            if exchange.headers.get(b"content-encoding", b"identity") not in (b"identity", b""):
                raise Refusal("this server does not accept compressed bodies: send them uncompressed", 415, "encoding")
        except Exception as error:
            return self._error_reply(error)
        return None

    def _without_body(self, exchange: Exchange) -> Reply:
        method, route = exchange.method, exchange.route
        if method in (b"GET", b"HEAD") and route.get is not None:
            return route.get()
        if route.hint and exchange.path.startswith(MODELS):
            raise Refusal(f"there is nothing at this path; {route.hint}", 404, "route")
        if route is self._other:
            raise Refusal(f"there is nothing at {exchange.path[:200]!r}", 404, "route")
        self._board.refuse("route")
        return _error(f"{method.decode()} is not allowed for this path", 405, ((b"allow", route.methods()),))

    def add(self, exchange: Exchange, piece: bytes) -> None:
        """Adds a piece of a body, within the limits, as a sender may send megabytes before the loop's next turn."""
        if exchange.over:
            return
        exchange.add(piece)
        if len(exchange.pieces) > 1 or exchange.buffered:
            self._count(exchange)

    def _count(self, exchange: Exchange) -> None:
        self._buffered += exchange.held - exchange.buffered
        exchange.buffered = exchange.held
        exchange.over = exchange.size > self._settings.body or self._buffered > self._settings.buffer

    def grown(self, exchange: Exchange) -> Reply | None:
        """The reply where the part of the body that has arrived is too large."""
        size = exchange.size
        if exchange.buffered or not exchange.whole:
            if not exchange.over:
                self._count(exchange)
            announced = exchange.headers.get(b"content-length", b"")
            size = max(size, int(announced) if announced.isdigit() else 0)
        if size > self._settings.body:
            words = f"the body has more than {self._settings.body} bytes: send fewer rows"
            return self._error_reply(Refusal(words, 413, "too_large"))
        if exchange.over:
            return self._error_reply(Refusal("too many bodies are in transfer: try again later", 503, "overload"))
        return None

    def is_quick(self, exchange: Exchange) -> bool:
        """Whether a whole request is answered so fast that the event loop may wait for it."""
        return exchange.size <= INLINE_BYTES and self._pace <= INLINE_SECONDS

    def answer(self, exchange: Exchange) -> Reply:
        """The reply to a whole request."""
        try:
            return self._answer(exchange, perf_counter(), perf_counter)
        except Exception as error:
            return self._error_reply(error)

    def _answer(self, exchange: Exchange, since: float, clock: Callable[[], float]) -> Reply:
        body, post = exchange.body(), exchange.route.post
        assert post is not None
        begun = clock()
        options = self.watch.begin(since)
        try:
            return post(exchange.headers, body)
        except Refusal:
            if options.terminate:
                raise self._late() from None
            raise
        finally:
            self.watch.end(options)
            if len(body) <= INLINE_BYTES:
                self._pace += 0.1 * (clock() - begun - self._pace)

    async def answer_in_thread(self, exchange: Exchange) -> Reply:
        """The reply to a whole request, made in a thread."""
        if self._threads >= self._settings.requests:
            return self._error_reply(Refusal(AT_LIMIT, 503, "overload"))
        self._threads += 1
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._pool, self._answer, exchange, perf_counter(), thread_time)
        future.add_done_callback(self._thread_done)
        try:
            return await asyncio.wait_for(asyncio.shield(future), self._settings.seconds)
        except TimeoutError:
            future.cancel()
            return self._error_reply(self._late())
        except Exception as error:
            return self._error_reply(error)

    def _late(self) -> Refusal:
        return Refusal(f"no answer within {self._settings.seconds} s: send fewer rows", 503, "time")

    def _thread_done(self, future: asyncio.Future[Reply]) -> None:
        self._threads -= 1
        if not future.cancelled():
            future.exception()

    def done(self, exchange: Exchange, status: int, rows: int = 0) -> None:
        """Ends a request that was taken."""
        exchange.answered = True
        self.forget(exchange)
        self._board.leave(exchange.route.label, status, perf_counter() - exchange.begun, rows)
        self._leaving += 1

    def forget(self, exchange: Exchange) -> None:
        """Releases a request's body."""
        self._buffered -= exchange.buffered
        exchange.buffered = 0
        exchange.pieces = []

    def begin_turn(self) -> None:
        """Releases the in-flight slots of the previous event-loop iteration."""
        self._taken -= self._leaving
        self._leaving = 0

    def _error_reply(self, error: Exception) -> Reply:
        """The reply for an error."""
        if not isinstance(error, Refusal):
            traceback.print_exception(error, file=sys.stderr)
            return _error("internal server error: the server's log has the details", 500)
        self._board.refuse(error.reason)
        return _error(str(error), error.status, RETRY if error.status == 503 else ())


def path_of(target: bytes) -> str:
    """The path of a request's target; raises `ValueError` and `HttpParserError` where the target is not a URL."""
    path = httptools.parse_url(target).path.decode("ascii")
    return unquote(path) if "%" in path else path


def _is_plain(path: str) -> bool:
    """Whether a target for the path has exactly this form."""
    try:
        return path_of(path.encode("ascii")) == path
    except (ValueError, AttributeError, httptools.HttpParserError):
        return False


def _error(message: str, status: int, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Reply:
    return Reply(orjson.dumps({"error": message}), status, headers=headers)
