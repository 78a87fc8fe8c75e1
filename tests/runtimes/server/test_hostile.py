"""Attacks on Python's server: bounds, framing, bodies, memory. The native one gets the same in `test_cpp_server`."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.runtimes.server.attacks import ALL, GET, LONG, post, statuses
from tests.runtimes.server.conftest import Served, serving

MIB = 1 << 20
HELD = 15 * MIB


@pytest.mark.parametrize("name", ALL)
def test_every_attack_gets_its_one_answer(flower_server: Served, name: str) -> None:
    status, sent = ALL[name]
    assert statuses(flower_server.port, sent, flower_server.name) == [status]


def test_the_server_is_alive_and_made_no_mistake(flower_server: Served) -> None:
    assert statuses(flower_server.port, GET * 200, "") == [200] * 200
    assert flower_server.metric('mlpack_requests_total{route="v2",status="500"}') == 0
    assert flower_server.post("/predict", [[1, 2, 3, 4]]).status == 200


def test_a_long_head_behind_another_request(flower_server: Served) -> None:
    """Both in one read: the first is answered, the second is not taken."""
    assert statuses(flower_server.port, GET + GET[:-2] + b"X: " + LONG + b"\r\n\r\n", "") == [200, 431]
    assert statuses(flower_server.port, post() + post(host=b""), "") == [200, 400]


def test_a_list_for_a_cell(crew_server: Served) -> None:
    row = {"mood": "", "</script><script>alert(1)</script>": 0.5, "age": 30, "aboard": True}
    wanted = dict(zip(row, ("text", "a number", "a whole number", "true or false"), strict=True))
    for name, words in wanted.items():
        for body in ([{**row, name: [row[name]]}], [[[v] if n == name else v for n, v in row.items()]]):
            said = crew_server.post("/predict", body)
            assert said.status == 400
            assert said.json["error"] == f"row 0, column {name!r}: a list, and the model takes {words} here"
    assert crew_server.post("/predict", [row]).status == 200


def memory(pid: int) -> int:
    """Bytes of a process and all below it, what they share counted once."""
    pids = [str(pid), *Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    lines = [line.split() for p in pids for line in Path(f"/proc/{p}/smaps_rollup").read_text().splitlines()]
    return 1024 * sum(int(line[1]) for line in lines if line[0] == "Pss:")


@pytest.fixture(scope="module")
def bounded(flower_bundle: Path) -> Iterator[Served]:
    """A server that promises 64 MiB for bodies on their way."""
    with serving(flower_bundle, MLPACK_MAX_BUFFER=str(64 * MIB)) as server:
        yield server


def hold(server: Served, count: int, piece: int) -> tuple[int, int]:
    """The most memory beyond what it had, while so many send bodies that never end, and how many were refused."""
    before, most = memory(server.process.pid), 0
    body = (b"[[1,2,3,4]," + b"[1,2,3,4]," * (HELD // 10))[:HELD]
    connections = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(count)]

    def send(connection: socket.socket) -> None:
        with suppress(OSError):
            connection.sendall(post(body=b"", length=b"Content-Length: %d\r\n" % (HELD + 1)))
            for start in range(0, HELD, piece):
                connection.sendall(body[start : start + piece])

    threads = [threading.Thread(target=send, args=(each,)) for each in connections]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most = max(most, memory(server.process.pid))
        time.sleep(0.02)
    most = max(most, memory(server.process.pid))
    refused = 0
    for connection in connections:
        connection.settimeout(0.2)
        with suppress(OSError):
            refused += b" 503 " in connection.recv(4096)
        connection.close()
    return most - before, refused


@pytest.mark.parametrize("piece", [4 * MIB, 1 << 16, 1 << 11])
def test_held_bodies_take_what_was_promised(bounded: Served, piece: int) -> None:
    """It was 1.6 to 2 times: a sender could bring megabytes before anybody counted."""
    taken, refused = hold(bounded, 20, piece)
    assert taken < 1.25 * 64 * MIB, taken / MIB
    assert refused >= 10
    deadline = time.monotonic() + 10
    while bounded.post("/predict", [[1, 2, 3, 4]] * 40_000).status == 503 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert bounded.post("/predict", [[1, 2, 3, 4]] * 40_000).status == 200
