"""What goes wrong around a server: more than it can do, thousands of malformed requests, a worker that is killed."""

from __future__ import annotations

import json
import os
import random
import selectors
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runtimes.server.conftest import Served, golden, serving

ROW = [5.1, 3.5, 1.4, 0.2]
PATH = "/v2/models/flowers/infer"
SECONDS = 8.0
"""How long the overload lasts."""
LEAK = 64 << 20
"""Bytes that a worker may have grown by, all told."""


def worker(server: Served) -> int:
    """The only worker's process."""
    pid = server.process.pid
    (found,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(found)


def resident(pid: int) -> int:
    """The bytes of memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def post(body: bytes, *headers: str, path: str = PATH) -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


def tensors(rows: int) -> dict[str, Any]:
    return {"inputs": [{"name": "X", "shape": [rows, 4], "datatype": "FP64", "data": ROW * rows}]}


def right_again(server: Served) -> None:
    """Every golden case is answered as it should be."""
    for request, want in golden(server.bundle):
        reply = server.post(PATH, request)
        assert reply.status == (400 if "error" in want else 200), reply.body
        if "error" not in want:
            assert reply.json["outputs"][0]["data"] == want["outputs"][0]["data"]


class Peer:
    """A connection that asks the same again as soon as it is answered."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.request = request
        self.heard = b""
        self.ask()

    def ask(self) -> None:
        self.asked = time.perf_counter()
        self.socket.sendall(self.request)

    def hear(self) -> bytes:
        """The whole answer, or nothing while a part of it is missing."""
        part = self.socket.recv(1 << 18)
        assert part, "the server ended the connection"
        self.heard += part
        head, end, body = self.heard.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.partition(b"content-length: ")[2].split(b"\r")[0]):
            return b""
        whole, self.heard = self.heard, b""
        return whole


def hammer(port: int, connections: int, seconds: float, request: bytes) -> tuple[Counter[int], list[float]]:
    """How many answers of each status, and how long the accepted ones took."""
    counts: Counter[int] = Counter()
    took: list[float] = []
    with selectors.DefaultSelector() as ready:
        for _ in range(connections):
            peer = Peer(port, request)
            ready.register(peer.socket, selectors.EVENT_READ, peer)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            events = ready.select(10)
            assert events, "nobody is answered"
            for key, _ in events:
                said = key.data.hear()
                if said:
                    counts[int(said.split(b" ", 2)[1])] += 1
                    if said.startswith(b"HTTP/1.1 200"):
                        took.append(time.perf_counter() - key.data.asked)
                    else:
                        assert b"\r\nretry-after: 1\r\n" in said
                    key.data.ask()
        for key in list(ready.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
    return counts, sorted(took)


def test_ten_times_as_much_as_it_can_do(flower_bundle: Path) -> None:
    """Some are sent away, the others are answered in time; no crash, no growth, and all is well right after."""
    with serving(flower_bundle, MLPACK_MAX_REQUESTS="4") as server:
        pid, request = worker(server), post(json.dumps(tensors(300)).encode())
        hammer(server.port, 4, 1, request)
        before = resident(pid)
        counts, took = hammer(server.port, 40, SECONDS, request)
        assert set(counts) == {200, 503} and counts[200] > 20, counts
        assert took[int(len(took) * 0.99)] < 5
        right_again(server)
        assert worker(server) == pid and resident(pid) - before < LEAK
        assert server.metric('mlpack_requests_total{route="v2",status="500"}') == 0
        assert server.metric("mlpack_worker_starts_total") == 1


class Malformed:
    """Requests that are wrong in one of many ways, the same ones every time."""

    def __init__(self) -> None:
        self.chance = random.Random(7)
        self.good = post(json.dumps(tensors(1)).encode(), "Content-Type: application/json")
        self.whole = (self.json, self.shape, self.type, self.rows, self.header, self.raw)
        self.torn = (self.broken, self.stopped, self.length, self.head)

    def some(self, kinds: tuple[Callable[[], bytes], ...]) -> bytes:
        return self.chance.choice(kinds)()

    def value(self) -> Any:
        odd = [
            None,
            True,
            -1,
            0,
            1e30,
            1e308,
            2**64,
            10**40,
            "",
            "NaN",
            "x" * 300,
            [],
            [[]],
            {},
            [None],
            {"a": 1},
            "\u0000",
        ]
        return self.chance.choice(odd)

    def json(self) -> bytes:
        body = bytearray(json.dumps(tensors(1)).encode())
        for _ in range(self.chance.randint(1, 5)):
            body[self.chance.randrange(len(body))] = self.chance.randrange(256)
        return post(bytes(body[: self.chance.randint(0, len(body))]))

    def shape(self) -> bytes:
        plain = tensors(1)
        plain["inputs"][0]["shape"] = [self.value() for _ in range(self.chance.randint(0, 40))]
        return post(json.dumps(plain).encode())

    def type(self) -> bytes:
        plain = tensors(2)
        tensor = plain["inputs"][0]
        tensor[self.chance.choice(["name", "datatype", "data", "parameters"])] = self.value()
        tensor["data"] = tensor["data"] and [self.value() if self.chance.random() < 0.3 else 1.0 for _ in range(8)]
        plain[self.chance.choice(["id", "inputs", "outputs", "parameters", "odd"])] = self.value()
        return post(json.dumps(plain if self.chance.random() < 0.5 else {"inputs": [tensor]}).encode())

    def rows(self) -> bytes:
        path = self.chance.choice(["/predict", "/invocations", "/v1/models/flowers:predict", "/nothing"])
        form = self.chance.choice(["instances", "inputs", "dataframe_split", "dataframe_records", "rows"])
        plain: Any = [self.value(), [self.value() for _ in range(4)], {"X": self.value()}]
        return post(json.dumps({form: plain} if self.chance.random() < 0.7 else plain).encode(), path=path)

    def header(self) -> bytes:
        name = self.chance.choice(
            ["Inference-Header-Content-Length", "Content-Encoding", "Content-Type", "Expect", "X"]
        )
        value = self.chance.choice(["-1", "99999999999999999999", "gzip", "text/csv", "\t", "a" * 3000, "7", "0x10"])
        return post(
            json.dumps(tensors(1)).encode(), f"{name}: {value}", path=self.chance.choice([PATH, "/invocations"])
        )

    def raw(self) -> bytes:
        head = tensors(1)
        head["inputs"][0] |= {"data": None, "parameters": {"binary_data_size": self.chance.choice([32, 31, -1, 10**9])}}
        text = json.dumps(head).encode()
        body = text + self.chance.randbytes(self.chance.choice([0, 16, 32, 33]))
        return post(body, f"Inference-Header-Content-Length: {len(text) + self.chance.choice([0, 0, 1, -1])}")

    def broken(self) -> bytes:
        broken = bytearray(self.good)
        for _ in range(self.chance.randint(1, 4)):
            broken[self.chance.randrange(len(broken))] = self.chance.randrange(256)
        return bytes(broken)

    def stopped(self) -> bytes:
        return self.good[: self.chance.randrange(len(self.good))]

    def length(self) -> bytes:
        length = self.chance.choice(["-1", "x", "99999999999", "18446744073709551616", "5\r\nContent-Length: 6", "0"])
        return f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode() + self.chance.randbytes(
            20
        )

    def head(self) -> bytes:
        lines = [
            b"Transfer-Encoding: chunked",
            b"Connection: close",
            b"X: " + self.chance.randbytes(9),
            b": y",
            b" z: 1",
        ]
        lines += [b"Transfer-Encoding: gzip, chunked", b"Upgrade: h2c", b"Connection: Upgrade", b"Expect: 100-continue"]
        chosen = b"\r\n".join(self.chance.sample(lines, 3))
        return (
            b"POST /predict HTTP/1.1\r\nHost: x\r\n"
            + chosen
            + b"\r\n\r\n"
            + self.chance.choice([b"", b"zz\r\n", b"2\r\n[]\r\n0\r\n\r\n"])
        )


def statuses(said: bytes) -> Iterator[int]:
    """The statuses of answers that follow each other."""
    while said:
        head, end, rest = said.partition(b"\r\n\r\n")
        assert end and head.startswith(b"HTTP/1.1 "), said[:200]
        yield int(head.split(b" ", 2)[1])
        said = rest[int(head.partition(b"content-length: ")[2].split(b"\r")[0] or b"0") :]


def exchanged(port: int, sent: bytes) -> bytes:
    """All that comes back to a sender that says no more; a server that hangs fails the test."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        said = b""
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(1 << 18):
                said += part
        except (ConnectionResetError, BrokenPipeError):
            pass
        return said


def test_ten_thousand_malformed_requests(flower_bundle: Path) -> None:
    """No 5xx, no hang, nothing that grows; senders that stop halfway hold up nobody."""
    with serving(flower_bundle) as server:
        pid, malformed, counts = worker(server), Malformed(), Counter[int]()
        right_again(server)
        before = resident(pid)
        halves = [malformed.stopped() for _ in range(50)]
        slow = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in halves]
        for connection, half in zip(slow, halves, strict=True):
            connection.sendall(half)
        for _ in range(350):  # twenty at a time, each on its own with the same connection
            many = [malformed.some(malformed.whole) for _ in range(20)]
            said = list(statuses(exchanged(server.port, b"".join(many))))
            assert len([s for s in said if s != 100]) == 20, said
            counts.update(said)
        for _ in range(3000):
            counts.update(statuses(exchanged(server.port, malformed.some(malformed.torn))))
        assert set(counts) <= {100, 200, 400, 404, 405, 413, 415, 431}, counts
        assert counts[400] > 6000, counts
        for connection in slow:
            connection.close()
        right_again(server)
        assert worker(server) == pid and resident(pid) - before < LEAK
        assert server.metric("mlpack_requests_in_flight") == 1
        assert server.metric("mlpack_worker_starts_total") == 1


def test_a_killed_worker_is_back_in_two_seconds(flower_bundle: Path) -> None:
    """It takes 0.3 s on a machine that has nothing else to do; the best of three here."""
    with serving(flower_bundle) as server:
        took = []
        for _ in range(3):
            os.kill(worker(server), signal.SIGKILL)
            killed = time.monotonic()
            while not _answers(server):
                time.sleep(0.01)
            took.append(time.monotonic() - killed)
        assert min(took) < 2, took
        right_again(server)


def _answers(server: Served) -> bool:
    try:
        return server.post("/predict", [ROW]).status == 200
    except OSError:
        return False


@pytest.mark.parametrize("size", [1, 20_000])
def test_senders_that_go_away(flower_server: Served, size: int) -> None:
    """Before they are answered, or while they are: what they asked for is counted, and over."""
    request = post(json.dumps(tensors(size)).encode())
    for at in (len(request), len(request) - 1, 60):
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", flower_server.port), timeout=20) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.sendall(request[:at])
    end = time.monotonic() + 60
    while flower_server.metric("mlpack_requests_in_flight") > 1 and time.monotonic() < end:
        time.sleep(0.05)
    assert flower_server.metric("mlpack_requests_in_flight") == 1
    right_again(flower_server)
