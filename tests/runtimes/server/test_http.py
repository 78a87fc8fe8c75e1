"""However the bytes of requests arrive, whole, in pieces or many at once, inline or in a thread: the same answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpack_toolkit.runtimes.engine.errors import Refusal
from mlpack_toolkit.runtimes.server.bundle_info import describe
from mlpack_toolkit.runtimes.server.model import Model
from mlpack_toolkit.runtimes.server.protocol.infer import Reply
from mlpack_toolkit.runtimes.server.protocol.routes import OTHER, routes_of
from mlpack_toolkit.runtimes.server.settings import Settings
from mlpack_toolkit.runtimes.server.transport import app as app_module
from mlpack_toolkit.runtimes.server.transport.app import App, Route
from mlpack_toolkit.runtimes.server.transport.http import Connection, ServerState
from mlpack_toolkit.runtimes.server.transport.metrics import Board
from mlpack_toolkit.runtimes.server.transport.scheduler import Turns
from tests.runtimes.server.conftest import golden

BOUNDS = Settings(body=3000, rows=9)
CHUNKED = "Transfer-Encoding: chunked"
TENSOR = {"name": "X", "shape": [1, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2]}


class Wire:
    """A transport that keeps what is written, and holds back what comes while reading is paused."""

    def __init__(self) -> None:
        self.said = b""
        self.over = self.paused = False

    def write(self, data: bytes) -> None:
        assert not self.over
        self.said += data

    def close(self) -> None:
        self.over = True

    abort = write_eof = close

    def can_write_eof(self) -> bool:
        return True

    def pause_reading(self) -> None:
        assert not self.paused
        self.paused = True

    def resume_reading(self) -> None:
        assert self.paused
        self.paused = False

    def get_write_buffer_size(self) -> int:
        return 0


class House:
    """An application with what belongs to it; `counts`: answers by status."""

    def __init__(self, routes: dict[str, Route], bounds: Settings = BOUNDS) -> None:
        self.board = Board(1)
        self.bounds = bounds
        self.app = App(routes, OTHER, bounds, self.board)
        self.turns = Turns(self.app)
        self.state = ServerState()

    def connection(self) -> tuple[Connection, Wire]:
        found, wire = Connection(self.app, self.turns, self.bounds, self.state), Wire()
        found.connection_made(wire)  # type: ignore[arg-type]
        return found, wire

    async def says(self, pieces: Sequence[bytes], at_once: bool = False) -> bytes:
        """What comes back for pieces that arrive one in each turn of the loop, or all before the next turn."""
        connection, wire = self.connection()
        for piece in pieces:
            while wire.paused and not wire.over:
                await asyncio.sleep(0.0005)
            if wire.over:
                break
            connection.data_received(piece)
            if not at_once:
                await asyncio.sleep(0)
        while connection.line and not wire.over:
            await asyncio.sleep(0.0005)
        await asyncio.sleep(0)
        connection.connection_lost(None)
        return wire.said

    def metric(self, line: str) -> float:
        lines = self.board.text("", "", "").decode().splitlines()
        return next((float(each.rpartition(" ")[2]) for each in lines if each.rpartition(" ")[0] == line), 0.0)


def request(method: str, path: str, body: bytes = b"", *headers: str, version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: x", *headers]
    if CHUNKED not in headers and (body or method == "POST"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces) + end


def post(body: Any, *headers: str, path: str = "/v2/models/flowers/infer", version: str = "1.1") -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request("POST", path, raw, *headers, version=version)


ROW = b"[[5.1, 3.5, 1.4, 0.2]]"
OFFER = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQ")
LASTING = [
    *(request(m, p) for m in ("GET", "HEAD", "DELETE") for p in ("/v2", "/ping", "/nothing", "/predict", "/v2?x=%20")),
    request("GET", "/v2/models/%66lowers"),
    request("GET", "/livez", b"a body that nobody wants"),
    post({"inputs": [TENSOR]}),
    post({"id": "7", "inputs": [TENSOR], "outputs": [{"name": "label"}]}),
    post({"inputs": [TENSOR], "parameters": {"binary_data_output": True}}),
    post({"inputs": [{**TENSOR, "data": [5.1, 3.5, 1.4, "long"]}]}),
    post({"inputs": [{**TENSOR, "data": [5.1, 3.5, None, 1e31]}]}),
    post({"inputs": [{**TENSOR, "shape": [10, 4], "data": [1.0] * 40}]}),
    post(b""),
    post(b"[1,"),
    post(b" " * 3001),
    post(ROW, path="/predict"),
    post(ROW, *OFFER, path="/predict"),
    post(ROW, "Content-Encoding: gzip", path="/predict"),
    post(ROW, "Expect: 100-continue", path="/predict"),
    post(b" " * 3001, "Expect: 100-continue", path="/predict"),
    post(b"\xef\xbb\xbf5.1,3.5,1.4,0.2\r\n", "Content-Type: text/csv; header=absent", path="/invocations"),
    request("POST", "/predict", chunked(b"[[5.1, 3", b".5, 1.4, 0.2", b"]]"), CHUNKED),
    request("POST", "/predict", chunked(ROW, end=b"0\r\nContent-Encoding: gzip\r\n\r\n"), CHUNKED),
    request("POST", "/predict", chunked(b" " * 2000, b" " * 2000), CHUNKED),
]
CLOSING = [
    post(ROW, "Connection: close", path="/predict"),
    post(ROW, path="/predict", version="1.0"),
    request("HEAD", "/v2", b"", "Connection: close"),
    b"\x16\x03\x01\x02\x00" + b"\0" * 50,
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET nowhere HTTP/1.1\r\n\r\n",
    request("POST", "/predict", b"zz\r\n[]\r\n0\r\n\r\n", CHUNKED),
    b"POST /predict HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]",
]


@pytest.fixture(scope="module")
def routes(flower_bundle: Path) -> dict[str, Route]:
    return routes_of(Model(describe(flower_bundle)), BOUNDS, Board(1))


@pytest.fixture(scope="module")
def alone(routes: dict[str, Route]) -> dict[bytes, bytes]:
    """What each request gets that arrives whole on a connection of its own."""

    async def each() -> dict[bytes, bytes]:
        house = House(routes)
        return {one: await house.says([one]) for one in LASTING + CLOSING}

    return asyncio.run(each())


def test_every_request_is_answered_by_itself(alone: dict[bytes, bytes]) -> None:
    for one, said in alone.items():
        status = int(said.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").split(b" ")[1])
        assert status in (200, 400, 404, 405, 413, 415), (one, said)
        assert (b"\r\nconnection: close\r\n" in said) is (one in CLOSING), (one, said)
    assert {said.split(b" ")[1] for said in alone.values()} == {b"200", b"400", b"404", b"405", b"413", b"415", b"100"}


@pytest.mark.parametrize("inline", [True, False])
def test_byte_by_byte(
    routes: dict[str, Route], alone: dict[bytes, bytes], inline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not inline:
        monkeypatch.setattr(app_module, "INLINE_BYTES", -1)

    async def each() -> None:
        house = House(routes)
        for one, expected in alone.items():
            assert await house.says([one]) == expected, one
            assert await house.says([one[i : i + 1] for i in range(len(one))]) == expected, one
        assert house.app._taken == house.app._leaving and not house.app._buffered and not house.app._threads
        assert house.metric("mlpack_requests_in_flight") == 0

    asyncio.run(each())


@given(
    first=st.lists(st.sampled_from([one for one in LASTING if b"Upgrade" not in one]), max_size=6),
    last=st.none() | st.sampled_from(CLOSING),
    cuts=st.lists(st.floats(0, 1), max_size=5),
    at_once=st.booleans(),
    inline=st.booleans(),
)
@settings(max_examples=200)
def test_many_in_any_pieces(
    routes: dict[str, Route],
    alone: dict[bytes, bytes],
    first: list[bytes],
    last: bytes | None,
    cuts: list[float],
    at_once: bool,
    inline: bool,
) -> None:
    sent = b"".join([*first, last or b""])
    expected = b"".join(alone[one] for one in [*first, *([last] if last else [])])
    places = sorted({0, len(sent), *(int(cut * len(sent)) for cut in cuts)})
    pieces = [sent[a:b] for a, b in zip(places, places[1:], strict=False)]
    before = app_module.INLINE_BYTES
    try:
        app_module.INLINE_BYTES = before if inline else -1
        said = asyncio.run(House(routes).says(pieces, at_once))
    finally:
        app_module.INLINE_BYTES = before
    assert said == expected


def test_an_offer_behind_others_in_pieces(routes: dict[str, Route], alone: dict[bytes, bytes]) -> None:
    offer = post(ROW, *OFFER, path="/predict")

    async def each() -> None:
        for cut in range(len(offer)):
            assert await House(routes).says([offer[:cut], offer[cut:]]) == alone[offer], offer[:cut]

    asyncio.run(each())


def test_a_sender_that_has_said_all_gets_its_answers(routes: dict[str, Route], alone: dict[bytes, bytes]) -> None:
    async def half_closed() -> None:
        house = House(routes)
        connection, wire = house.connection()
        one = post(ROW, path="/predict")
        connection.data_received(one * 3 + one[:-1])
        assert connection.eof_received() is True
        while not wire.over:
            await asyncio.sleep(0.0005)
        assert wire.said.count(b"HTTP/1.1 200") == 3
        connection.connection_lost(None)
        idle, _ = house.connection()
        idle.data_received(one[:-1])
        assert idle.eof_received() is False
        await asyncio.sleep(0)
        idle.connection_lost(None)
        assert house.metric("mlpack_requests_in_flight") == 0

    asyncio.run(half_closed())


def test_who_does_not_read_is_not_answered(routes: dict[str, Route]) -> None:
    async def unread() -> None:
        connection, wire = House(routes).connection()
        one = post(ROW, path="/predict")
        connection.pause_writing()
        connection.data_received(one * 2)
        await asyncio.sleep(0.01)
        assert wire.said == b"" and wire.paused
        connection.resume_writing()
        await asyncio.sleep(0.01)
        assert wire.said.count(b"HTTP/1.1 200") == 2 and not wire.paused

    asyncio.run(unread())


def test_all_that_is_there_at_once_counts(routes: dict[str, Route]) -> None:
    """The bound on requests holds within a turn of the loop, and is free again in the next."""

    async def many() -> None:
        house = House(routes, Settings(requests=4))
        parties = [house.connection() for _ in range(10)]
        for _ in range(3):
            for connection, wire in parties:
                wire.said = b""
                connection.data_received(post(ROW, path="/predict"))
            await asyncio.sleep(0.01)
            statuses = [wire.said.split(b" ")[1] for _, wire in parties]
            assert statuses == [b"200"] * 4 + [b"503"] * 6
            assert b"\r\nretry-after: 1\r\n" in parties[-1][1].said
        assert house.metric('mlpack_requests_total{route="predict",status="200"}') == 12
        assert house.metric('mlpack_refusals_total{reason="overload"}') == 18

    asyncio.run(many())


def test_our_own_mistake_is_told_and_harms_nobody_else(capfd: pytest.CaptureFixture[str]) -> None:
    def wrong(headers: Any, body: bytes) -> Reply:
        raise Refusal("no") if body == b"no" else ZeroDivisionError("ours")

    async def mistaken() -> None:
        house = House({"/wrong": Route("predict", post=wrong), "/odd": Route("predict", lambda: Reply(b"", 299))})
        odd, odd_wire = house.connection()
        other, wire = house.connection()
        odd.data_received(request("GET", "/odd"))
        other.data_received(post(b"no", path="/wrong") + post(b"yes", path="/wrong"))
        await asyncio.sleep(0.01)
        assert odd_wire.over and not odd_wire.said
        assert wire.said.startswith(b"HTTP/1.1 400") and b"HTTP/1.1 500" in wire.said and not wire.over

    asyncio.run(mistaken())
    assert "ZeroDivisionError: ours" in capfd.readouterr().err


def test_golden_cases_are_the_same_in_any_pieces(flower_bundle: Path, routes: dict[str, Route]) -> None:
    async def each() -> None:
        house = House(routes, Settings())
        for case, _ in golden(flower_bundle):
            one = post(case)
            whole = await house.says([one])
            assert await house.says([one[:300], one[300:]]) == whole
            assert await house.says([one * 2]) == whole * 2

    asyncio.run(each())
