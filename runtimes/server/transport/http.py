"""Handles HTTP/1.1 connections, with limits on headers, on slow senders and on unread answers.

httptools parses. A request that arrives whole is answered at once, with one write.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Sequence
from http import HTTPStatus
from time import monotonic
from typing import Any

import httptools

from ..protocol.infer import JSON, Reply
from ..settings import Settings
from .app import GONE, App, Exchange
from .scheduler import Turns

IDLE_SECONDS = 75
LINGER_SECONDS = 1.0
HEADER_MARKS = 4
"""Bytes of a header line besides its name and value: the colon, the space, the end of the line."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
OFFER = re.compile(rb"\nupgrade:", re.IGNORECASE)
BEGUN_OFFER = re.compile(rb"(?<=\n)(u(p(g(r(a(de?)?)?)?)?)?)\Z", re.IGNORECASE)
_LINES = {s.value: b"HTTP/1.1 %d %b\r\ncontent-type: " % (s.value, s.phrase.encode()) for s in HTTPStatus}
_PLAIN = _LINES[200] + JSON + b"\r\ncontent-length: %d\r\n\r\n%b"


class ServerState:
    """What a worker finishes before it ends: open connections, and requests that a thread works on."""

    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()


class Connection(asyncio.Protocol):
    """One connection. Its requests form a queue; the first is in work, the others wait.

    `begun`: start time of the incomplete request, 0 without one; `idle`: time since when there is none.
    """

    transport: Any

    def __init__(self, app: App, turns: Turns, settings: Settings, state: ServerState) -> None:
        self.app = app
        self._turns = turns
        self.settings = settings
        self.state = state
        self.begun = 0.0
        self.idle = monotonic()
        self.line: deque[Exchange] = deque()
        self._parser: Any = httptools.HttpRequestParser(self)
        self._reading = Exchange()
        self._target = self._line_end = self._kept_back = b""
        self._in_head = False
        self._head = 0  # bytes of the headers so far
        self._weight = self._hosts = 0  # bytes of their names and values, and the number of Host headers
        self._mixed = False  # this read has more bytes than those of one request's headers
        self._unsent = b""
        self._due = False  # it is scheduled for the loop's turn
        self._working = False  # a thread works on the first in the queue
        self._unread = False  # the other side does not read its answers
        self._fault = (0, "")  # the final answer, after the queue's, to a sender that does not speak HTTP
        self._paused = self._ended = self._last = self._turned = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepts the connection, or answers at once that there are too many."""
        self.transport = transport
        full = len(self.state.connections) >= self.settings.connections
        self.state.connections.add(self)
        if full:
            self.turn_away(503, "there are too many connections: try again later")

    def connection_lost(self, exc: Exception | None) -> None:
        """Drops the waiting requests; a thread's request is counted when it ends."""
        self.state.connections.discard(self)
        self._turned = True
        self._parser = None
        if self.line and self._working:
            self.line.popleft()
        self._clear_line()

    def eof_received(self) -> bool:
        """Whether answers are still due to a sender that has finished sending."""
        self._ended = self._last = True
        self._drop_unfinished()
        return bool(self.line)

    def _drop_unfinished(self) -> None:
        if self.line and not self.line[-1].whole:
            self._give_up(self.line.pop())

    def _give_up(self, exchange: Exchange) -> None:
        if exchange.taken:
            self.app.done(exchange, GONE)
        else:
            self.app.forget(exchange)

    def _clear_line(self) -> None:
        while self.line:
            self._give_up(self.line.popleft())

    def data_received(self, data: bytes) -> None:
        """Parses the data; reads nothing more after invalid HTTP."""
        if self._turned or self._fault[0]:
            return
        if self._in_head or not self.begun:
            data = self._without_offer(data)
        self._mixed = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._last = True
        except httptools.HttpParserError:
            self._fault = self._fault if self._fault[0] else (400, "this is not an HTTP/1.1 request")
            self._drop_unfinished()
        self._head = self._head + len(data) if self.begun and not self._mixed else 0
        if self._head > self.settings.header and not self._fault[0]:
            self._fault = 431, self._too_long()
            self._drop_unfinished()
        self._go_on()

    def _without_offer(self, data: bytes) -> bytes:
        """The bytes with an Upgrade header (Java's client sends one) renamed to an unknown header.

        The parser would read the bytes after such headers as the other protocol, and the body would be lost.
        """
        start, data, self._kept_back = len(self._line_end), self._line_end + self._kept_back + data, b""
        self._line_end = b""
        if b"pgrade" in data:
            head, end, body = data.partition(b"\r\n\r\n")
            data = OFFER.sub(b"\nX-pgrade:", head) + end + body
        if b"\r\n\r\n" not in data:
            if begun := BEGUN_OFFER.search(data):
                data, self._kept_back = data[: begun.start()], begun.group()
            self._line_end = data[-1:] if data.endswith(b"\n") else b""
        return data[start:]

    def on_message_begin(self) -> None:
        """Begins a request."""
        self.begun = monotonic()
        self._in_head = True
        self._weight = self._hosts = 0
        self._target = b""
        self._reading = Exchange()

    def on_url(self, target: bytes) -> None:
        """Adds a piece of the target."""
        self._weigh(len(target))
        self._target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        """Adds a header; trailers after a body are ignored."""
        self._weigh(len(name) + len(value) + HEADER_MARKS)
        if self._in_head:
            name = name.lower()
            self._hosts += name == b"host"
            self._reading.headers[name] = value

    def _weigh(self, size: int) -> None:
        """Counts the parsed bytes of headers or trailers, which may arrive whole in one read."""
        self._weight += size
        if self._weight > self.settings.header:
            self._stop(431, self._too_long())

    def _too_long(self) -> str:
        return f"the request headers have more than {self.settings.header} bytes"

    def _stop(self, status: int, words: str) -> None:
        """Stops the parser at a request that cannot be answered."""
        self._fault = status, words
        raise ValueError(words)

    def on_headers_complete(self) -> None:
        """Queues the request, whose headers are complete."""
        exchange, parser = self._reading, self._parser
        coding = exchange.headers.get(b"transfer-encoding", b"chunked")
        if parser.get_http_version() not in ("1.0", "1.1") or coding.lower() != b"chunked":
            self._stop(400, "this is not an HTTP/1.1 request")
        if self._hosts > 1 or (not self._hosts and parser.get_http_version() == "1.1"):
            self._stop(400, "the request must have one Host header")
        self._in_head = False
        self._weight = 0
        exchange.method = parser.get_method()
        exchange.keep = parser.should_keep_alive() and parser.get_http_version() != "1.0"
        self.app.direct(exchange, self._target)
        self.line.append(exchange)

    def on_body(self, piece: bytes) -> None:
        """Adds a piece of the body."""
        self._mixed = True
        if not self._reading.answered:
            self.app.add(self._reading, piece)

    def on_message_complete(self) -> None:
        """Completes the request."""
        self._mixed = self._reading.whole = True
        self.begun = 0.0
        self.idle = monotonic()

    def _go_on(self) -> None:
        """Joins the loop's turn where work is pending."""
        if self._paused or self._unread or len(self.line) > 1:
            self._throttle()
        if not self.line:
            if self._fault[0]:
                self.turn_away(*self._fault)
        elif not (self._due or self._working or self._unread):
            self._due = True
            self._turns.join(self, alone=len(self.state.connections) == 1)

    def step(self) -> None:
        """Advances the first request of the queue as far as possible."""
        self._due = False
        if not self.line or self._turned:
            return
        exchange = self.line[0]
        reply = self._early(exchange)
        if reply is None and exchange.whole:
            if self.app.is_quick(exchange):
                reply = self.app.answer(exchange)
            else:
                self._working = True
                task = asyncio.get_running_loop().create_task(self._threaded(exchange))
                self.state.tasks.add(task)
                task.add_done_callback(self.state.tasks.discard)
        if reply is not None:
            self._say(exchange, reply)

    def _early(self, exchange: Exchange) -> Reply | None:
        """The reply that needs no body, or no more of the body."""
        if exchange.taken:
            return self.app.grown(exchange)
        reply = self.app.take(exchange)
        if reply is None:
            reply = self.app.grown(exchange)
            if reply is None and exchange.headers.get(b"expect", b"").lower() == b"100-continue":
                self.transport.write(CONTINUE)
        return reply

    async def _threaded(self, exchange: Exchange) -> None:
        reply = await self.app.answer_in_thread(exchange)
        self._working = False
        self.idle = monotonic()
        if self._turned:
            self.app.done(exchange, reply.status, reply.rows)
        else:
            self._say(exchange, reply)
            self.send()

    def _say(self, exchange: Exchange, reply: Reply) -> None:
        self.app.done(exchange, reply.status, reply.rows)
        self.line.popleft()
        last = not exchange.keep or (self._last and not self.line)
        self._unsent = _response(reply, exchange.method == b"HEAD", last)
        if last:
            self._turned = True
            self._clear_line()

    def send(self) -> None:
        """Sends the pending answers and continues."""
        if self._unsent:
            self.transport.write(self._unsent)
            self._unsent = b""
            if self._turned:
                self.transport.close()
        if not self._turned:
            self._go_on()

    def _throttle(self) -> None:
        """Pauses reading while requests wait in the queue, or answers are unread."""
        wanted = self._unread or len(self.line) > 1
        if wanted != self._paused and not self._ended and not self._turned:
            self._paused = wanted
            (self.transport.pause_reading if wanted else self.transport.resume_reading)()

    def pause_writing(self) -> None:
        """Pauses answers until the other side reads."""
        self._unread = True

    def resume_writing(self) -> None:
        """Resumes answers, as the other side has read."""
        self._unread = False
        if not self._turned:
            self._go_on()

    def shutdown(self) -> None:
        """Closes the connection after the answers to its accepted requests."""
        self._last = True
        if not self.line:
            self.transport.close()

    def turn_away(self, status: int, words: str) -> None:
        """Sends the error and closes the connection after the sender has had time to read it."""
        self._turned = True
        body = b'{"error":"' + words.encode() + b'"}'
        later = b"retry-after: 1\r\n" if status == 503 else b""
        head = b"HTTP/1.1 %d \r\ncontent-type: application/json\r\n%scontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (status, later, len(body)) + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self.transport.close)

    def sweep(self, now: float) -> None:
        """Closes the connection where a request is incomplete, an answer unread, or nothing requested for too long."""
        if self._turned:
            return
        seconds = self.settings.seconds
        if self.begun and now - self.begun > seconds:
            if self._reading.answered:
                self.drop()
            else:
                self.turn_away(408, "the request took too long to arrive")
        elif not self.begun and now - self.idle > (2 * seconds if self._awaits() else IDLE_SECONDS):
            self.drop()

    def _awaits(self) -> bool:
        """Whether an answer is in work or unread."""
        return bool(self.line) or self.transport.get_write_buffer_size() > 0

    def drop(self) -> None:
        """Aborts the connection."""
        self._turned = True
        self.transport.abort()


def _response(reply: Reply, bodyless: bool, last: bool) -> bytes:
    """The bytes of a response. `last`: the connection ends after it."""
    length = len(reply.body)
    if reply.status == 200 and reply.kind is JSON and not (reply.headers or bodyless or last):
        return _PLAIN % (length, reply.body)
    lines = [_LINES[reply.status], reply.kind, b"\r\ncontent-length: %d\r\n" % length]
    lines += (b"%b: %b\r\n" % header for header in reply.headers)
    if last:
        lines.append(b"connection: close\r\n")
    return b"".join([*lines, b"\r\n", b"" if bodyless else reply.body])


def drop_unread(connections: Sequence[Connection]) -> None:
    """Aborts the connections with the most unread bytes until the unread answers are within their limit."""
    waiting = sorted(((c.transport.get_write_buffer_size(), c) for c in connections), key=lambda pair: -pair[0])
    total = sum(size for size, _ in waiting)
    for size, connection in waiting:
        if total <= connection.settings.buffer:
            return
        connection.drop()
        total -= size
