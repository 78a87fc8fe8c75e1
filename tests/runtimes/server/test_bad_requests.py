"""Requests that are wrong in every way: always a 4xx in JSON, never a 5xx, a hang or a wrong answer."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpack_toolkit.converters.spec import Cells, TensorSpec
from mlpack_toolkit.runtimes.engine.columns import Column
from mlpack_toolkit.runtimes.engine.errors import Refusal
from mlpack_toolkit.runtimes.engine.rules import violations
from mlpack_toolkit.runtimes.server.settings import Settings
from mlpack_toolkit.runtimes.server.transport.app import App, Route
from mlpack_toolkit.runtimes.server.transport.http import Connection, ServerState, drop_unread
from mlpack_toolkit.runtimes.server.transport.metrics import Board
from tests.runtimes.server.conftest import Answer, Served, broken_requests, golden, serving

cells = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["NaN", 1e400, 2**64, -0.0])
)
nested = st.recursive(
    cells,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
PATHS = ["/predict", "/invocations", "/v1/models/crew:predict", "/v2/models/crew/infer"]


def fine(reply: Answer) -> None:
    """Answered, or turned down with a reason."""
    assert reply.status in (200, 400, 413), reply.body
    if reply.status != 200:
        assert isinstance(reply.json["error"], str) and reply.json["error"]


@given(path=st.sampled_from(PATHS), body=nested)
@settings(max_examples=150)
def test_any_json(crew_server: Served, path: str, body: Any) -> None:
    fine(crew_server.post(path, body))


@given(path=st.sampled_from(PATHS), body=st.binary(max_size=60), length=st.none() | st.text("0123456789-x", max_size=4))
@settings(max_examples=100)
def test_any_bytes(crew_server: Served, path: str, body: bytes, length: str | None) -> None:
    headers = {} if length is None else {"Inference_Header_Content_Length": length}
    fine(crew_server.post(path, body, **headers))


@given(data=st.data())
@settings(max_examples=150)
def test_a_golden_request_with_a_part_replaced(crew_server: Served, data: st.DataObject) -> None:
    request, _ = golden(crew_server.bundle)[0]
    tensor = data.draw(st.sampled_from(request["inputs"]))
    key = data.draw(st.sampled_from(["name", "shape", "datatype", "data", "parameters"]))
    tensor[key] = data.draw(
        nested if key != "data" else st.lists(cells, min_size=len(tensor["data"]), max_size=len(tensor["data"]))
    )
    fine(crew_server.post("/v2/models/crew/infer", request))


@given(text=st.text(max_size=60), kind=st.sampled_from(["text/csv", "text/csv; header=absent"]))
@settings(max_examples=100)
def test_any_csv(crew_server: Served, text: str, kind: str) -> None:
    fine(crew_server.post("/invocations", text.encode("utf-8", "surrogatepass"), Content_Type=kind))


def exchanged(server: Served, sent: bytes, seconds: float = 10) -> bytes:
    """What comes back until the server closes, or is silent after it has said something."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as connection:
        said = b""
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                said += part
        except OSError:
            pass
        return said


def test_bytes_that_are_no_http(flower_server: Served) -> None:
    for broken in broken_requests(150):
        said = exchanged(flower_server, broken)
        assert not said or said.split(b" ")[1][:1] in (b"2", b"4"), (broken, said)
    assert exchanged(flower_server, b"\x16\x03\x01\x02\x00" + b"\0" * 50).startswith(b"HTTP/1.1 400")
    assert flower_server.get("/livez").status == 200


def test_a_head_without_an_end(flower_server: Served) -> None:
    line = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
    for head in (
        line + b"X: " + b"a" * 200_000,
        line + b"X-%d: y\r\n" * 1 % 1 + b"A: b\r\n" * 30_000,
        b"GET /" + b"a" * 200_000,
    ):
        assert exchanged(flower_server, head).startswith(b"HTTP/1.1 431")
    assert exchanged(flower_server, line + b"X: " + b"a" * 9000 + b"\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_a_second_request_on_a_connection_that_offered_http2(flower_server: Served) -> None:
    """Java's client offers HTTP/2 with its first request."""
    one = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQ\r\n"
    with socket.create_connection(("127.0.0.1", flower_server.port), timeout=10) as connection:
        for head in (one + offer, one):
            connection.sendall(head + b"\r\n[]")
            said = b""
            while not said.endswith(b"\r\n\r\n[]"):
                said += connection.recv(65536)
            assert said.startswith(b"HTTP/1.1 200")


def test_pieces_pipelines_and_promises(flower_server: Served) -> None:
    one = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 21\r\n\r\n[[5.1, 3.5, 1.4, .2]]"
    one = one.replace(b" .2", b"0.2")
    last = one.replace(b"Host: x", b"Host: x\r\nConnection: close")
    with socket.create_connection(("127.0.0.1", flower_server.port), timeout=10) as connection:
        connection.sendall(one * 20 + last)
        assert b"".join(iter(lambda: connection.recv(65536), b"")).count(b"HTTP/1.1 200") == 21
    chunked = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\n\r\n"
    assert exchanged(flower_server, chunked).endswith(b"[]")
    promise = b"POST /predict HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    assert b"100 Continue" in exchanged(flower_server, promise + b"[]")
    assert flower_server.post("/predict", b"\x1f\x8b", Content_Encoding="gzip").status == 415


@pytest.fixture(scope="module")
def hasty(flower_bundle: Path) -> Iterator[Served]:
    with serving(flower_bundle, MLPACK_REQUEST_SECONDS="1") as server:
        yield server


@pytest.mark.parametrize(
    "sent", [b"POST /predict HT", b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n[["]
)
def test_a_sender_that_stops(hasty: Served, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=10) as connection:
        begun = time.monotonic()
        connection.sendall(sent)
        assert connection.recv(65536).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - begun < 6
    assert hasty.get("/livez").status == 200


numbers = st.sampled_from([float("nan"), float("inf"), -1e31, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 1e12, 1e31]) | st.floats()
bounds = st.none() | st.sampled_from([-1.0, 0.0, 1.0, 2.0, 1e12])


@st.composite
def rules(draw: st.DrawFn, name: str = "x") -> TensorSpec:
    values = draw(st.none() | st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=1).map(tuple))
    limit = draw(st.none() | st.sampled_from([1.0, 1e12, 1e30]))
    kind = draw(st.sampled_from(["float32", "float64"]))
    return TensorSpec(
        name,
        kind,
        ("N", 1),
        Cells(
            nullable=draw(st.booleans()),
            missing=None,
            limit=limit,
            least=draw(bounds),
            most=draw(bounds),
            values=values,
        ),
    )


@given(data=st.data(), width=st.integers(0, 4), rows=st.integers(0, 3))
@settings(max_examples=400)
def test_the_shortcut_accepts_nothing_that_a_rule_forbids(data: st.DataObject, width: int, rows: int) -> None:
    """`width` 0: one column of its own; else a matrix with rules for each column, or one for all."""
    if width:
        features = tuple(data.draw(rules(f"f{i}")) for i in range(width)) if data.draw(st.booleans()) else ()
        spec = TensorSpec(
            "x", "float64", ("N", width), Cells(limit=data.draw(st.sampled_from([None, 1.0])), features=features)
        )
    else:
        spec = data.draw(rules())
    size = rows * max(width, 1)
    values = np.array(data.draw(st.lists(numbers, min_size=size, max_size=size))).reshape(rows, max(width, 1))
    _agree(spec, values)


@given(data=st.data(), nullable=st.booleans(), missing=st.sampled_from([None, "", "\uffff"]))
def test_the_shortcut_for_text(data: st.DataObject, nullable: bool, missing: str | None) -> None:
    texts = st.none() | st.sampled_from(["", "a", "b", "\uffff"])
    known = data.draw(st.none() | st.lists(st.sampled_from(["", "a", "\uffff"]), min_size=1).map(tuple))
    found = data.draw(st.lists(texts, max_size=3))
    values = np.array([*found, None], object)[:-1].reshape(-1, 1)
    _agree(TensorSpec("x", "string", ("N", 1), Cells(nullable=nullable, missing=missing, values=known)), values)


def _agree(spec: TensorSpec, values: Any) -> None:
    from mlpack_toolkit.converters.spec import Signature

    column = Column(spec)
    broken = next(violations(Signature("regressor", (spec,), ()), {"x": values}), None)
    if column.sound(column.fit(values)):
        assert broken is None
    else:
        assert broken is not None or spec.values is not None or any(f.values is not None for f in spec.features)


@given(values=st.lists(st.floats() | st.integers(-(2**70), 2**70), min_size=1, max_size=3))
def test_whole_numbers_fit_or_are_refused(values: list[Any]) -> None:
    column = Column(TensorSpec("x", "int64", ("N", 1)))
    whole = all(float(v).is_integer() and -(2**63) <= float(v) < 2**63 for v in values)
    try:
        got = column.fit(np.array(values, np.float64))
    except Refusal:
        assert not whole
    else:
        assert whole and got.ravel().tolist() == [int(float(v)) for v in values]


def test_a_body_that_only_looks_like_a_number(flower_server: Served) -> None:
    for text in ("1e999", "[1e999]", "NaN", "[[NaN,1,2,3]]", "[" * 5000, '"\\ud800"', "[[1,2,3,1e400]]"):
        fine(flower_server.post("/predict", text.encode()))
    assert json.loads(flower_server.post("/predict", b"[[1,2,3,1e400]]").body)["error"]


def test_the_least_whole_number_is_beyond_a_limit() -> None:
    """Its magnitude is no int64."""
    spec = TensorSpec("x", "float32", ("N", 1), Cells(limit=1e12))
    _agree(spec, np.array([[1], [-(2**63)]]))
    assert not Column(spec).sound(np.array([[-(2**63)]])) and not Column(spec).sound(np.array([[1], [-(2**63)]]))


def connection(settings: Settings, **transport: Any) -> Connection:
    """A connection without a server, to a transport that can do this much."""
    found = Connection(App({}, Route("other"), settings, Board(1)), None, settings, ServerState())  # type: ignore[arg-type]
    found.transport = SimpleNamespace(**transport)
    return found


@pytest.mark.parametrize(("unread", "most"), [(9, 120), (0, 75)])
@pytest.mark.parametrize("beyond", [-1, 1])
def test_a_reader_that_stops(unread: int, most: float, beyond: int) -> None:
    """An answer that nobody reads is given up, and sooner a connection on which nothing is asked."""
    ended: list[bool] = []
    idle = connection(Settings(), get_write_buffer_size=lambda: unread, abort=lambda: ended.append(True))
    idle.sweep(idle.idle + most + beyond)
    assert bool(ended) is (beyond > 0)


def test_answers_that_nobody_reads_are_bounded() -> None:
    """The largest go first."""
    ended: list[int] = []

    def waiting(size: int) -> Connection:
        return connection(Settings(buffer=100), get_write_buffer_size=lambda: size, abort=lambda: ended.append(size))

    drop_unread([waiting(size) for size in (30, 60, 50, 0, 5)])
    assert ended == [60]
