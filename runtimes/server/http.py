"""uvicorn's HTTP/1.1 protocol with bounds of its own: heads, slow senders, connections, requests taken at once."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .app import LATE, App, Receive, Scope, Send
from .settings import Settings

IDLE_SECONDS = 75
LINGER_SECONDS = 1.0
FINAL = (b"HTTP/1.1 2", b"HTTP/1.1 4", b"HTTP/1.1 5")
MOST_AT_ONCE = 64
OFFER = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
TICKS = 10
"""uvicorn ticks ten times a second."""


class Gate:
    """How many requests have been taken and not yet answered, of all connections of this worker."""

    def __init__(self, app: App, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.taken = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, and then counts it no more."""
        try:
            await self.app(scope, receive, send)
        finally:
            if scope.get(LATE) is False:
                self.taken -= 1


class Joined:
    """A transport that sends the head of a response together with its body: one system call and one packet, not two."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        """Keeps a head until the next call."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(FINAL):
            self._head = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Sends a head to which no body belongs."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Closes once all is sent."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def protocol(gate: Gate) -> type[HttpToolsProtocol]:
    """The class of connections that this gate is for."""
    return type("Bounded", (Connection,), {"gate": gate})


class Connection(HttpToolsProtocol):
    """One connection. `begun`: when the request began that is not yet whole; `idle`: since when there is none."""

    gate: Gate

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.begun = 0.0
        self.idle = time.monotonic()
        self._head = 0
        self._in_head = False
        self._turned = False

    def connection_made(self, transport: Any) -> None:
        """Takes the connection, or says at once that there are too many."""
        full = len(self.connections) >= self.gate.settings.connections
        super().connection_made(Joined(transport))  # type: ignore[arg-type]
        if full:
            self.turn_away(503, "there are too many connections: try again later")

    def data_received(self, data: bytes) -> None:
        """Reads on, unless the head grows beyond its bound; what comes after an answer without request is let go."""
        if self._turned:
            return
        if b"pgrade" in data and (self._in_head or not self.begun):
            data = _without_offer(data)
        self._head += len(data)
        super().data_received(data)
        if not self._in_head:
            self._head = 0
        elif self._head > self.gate.settings.header and not self._turned:
            self.turn_away(431, f"the head of the request has more than {self.gate.settings.header} bytes")

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.begun = time.monotonic()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """The head is whole: the request is taken, or marked as one too many."""
        self._in_head = False
        queued = len(self.pipeline)
        super().on_headers_complete()
        if len(self.pipeline) > queued:
            return  # it waits behind another of its own connection
        gate = self.gate
        self.scope[LATE] = gate.taken >= gate.settings.requests  # type: ignore[literal-required]
        if gate.taken < gate.settings.requests:
            gate.taken += 1

    def on_message_complete(self) -> None:
        """The request is whole."""
        super().on_message_complete()
        self.begun = 0.0
        self.idle = time.monotonic()

    def on_response_complete(self) -> None:
        """The answer is whole."""
        self.transport.flush()  # type: ignore[attr-defined]
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Turns away what is no HTTP."""
        self.turn_away(400, "this is no HTTP/1.1 request")

    def turn_away(self, status: int, words: str) -> None:
        """Answers without the application, and closes once the sender has had time to read it."""
        self._turned = True
        body = b'{"error":"' + words.encode() + b'"}'
        later = b"retry-after: 1\r\n" if status == 503 else b""
        head = b"HTTP/1.1 %d \r\ncontent-type: application/json\r\n%scontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (status, later, len(body)))
        self.transport.write(body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def sweep(self, now: float) -> None:
        """Closes the connection where a request is on its way, an answer unread, or nothing asked for too long."""
        if self._turned:
            return
        seconds = self.gate.settings.seconds
        answered = self.cycle is None or self.cycle.response_complete
        if self.begun and now - self.begun > seconds:
            if self.cycle is None or not self.cycle.response_started:
                self.turn_away(408, "the request took too long to arrive")
            else:
                self.transport.close()
        elif not self.begun and now - self.idle > (IDLE_SECONDS if answered else 2 * seconds):
            self.transport.abort()


def drop_unread(connections: Sequence[Connection]) -> None:
    """Ends the connections with most of what nobody reads, until the answers that wait are within their bound."""
    waiting = sorted(((c.transport.get_write_buffer_size(), c) for c in connections), key=lambda pair: -pair[0])
    total = sum(size for size, _ in waiting)
    for size, connection in waiting:
        if total <= connection.gate.settings.buffer:
            return
        connection.transport.abort()
        total -= size


def _without_offer(data: bytes) -> bytes:
    """The bytes with an offer to go on in another protocol (as Java's client makes) under a name that means nothing.

    The parser takes what follows such a head for that other protocol, and the body would be lost.
    """
    head, end, body = data.partition(b"\r\n\r\n")
    return OFFER.sub(b"\r\nX-pgrade:", head) + end + body


class Server(uvicorn.Server):
    """uvicorn's server: SIGTERM ends it once all that was taken is answered; `ready` is called when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], alone: Callable[[], bool]) -> None:
        super().__init__(config)
        self._ready = ready
        self._alone = alone
        self._connecting: set[asyncio.Task[Any]] = set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM ends the server; an interrupt from the keyboard is the parent's to deal with."""
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        yield

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.should_exit = True

    async def startup(self, sockets: Any = None) -> None:
        """Listens, then says so.

        The loop's own servers are left out: uvloop takes one connection in each of its turns, and where the turns
        are long, connections starve.
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
            except OSError:  # none is left, it went away again, or another worker was quicker
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = loop.create_task(loop.connect_accepted_socket(self._connection, connection))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    def _connection(self) -> asyncio.Protocol:
        made: Any = self.config.http_protocol_class
        found: asyncio.Protocol = made(config=self.config, server_state=self.server_state, app_state={})
        return found

    async def shutdown(self, sockets: Any = None) -> None:
        """Takes no more connections, then answers what was taken."""
        asyncio.get_running_loop().remove_reader(self._listening.fileno())
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Looks after slow connections once a second, and after the parent."""
        if counter % TICKS == 0:
            now = time.monotonic()
            connections = [c for c in self.server_state.connections if isinstance(c, Connection)]
            for connection in connections:
                connection.sweep(now)
            drop_unread(connections)
            if self._alone():
                return True
        return await super().on_tick(counter)
