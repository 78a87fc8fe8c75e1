"""Starting, ending, dying, too much at once: the server as a process."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from mlpack_toolkit.packager.commands import serve as serving_module
from mlpack_toolkit.packager.errors import MissingToolError
from tests.conftest import Run
from tests.runtimes.server.conftest import ROOT, Served, serving

FLOWER = [5.1, 3.5, 1.4, 0.2]


def workers(server: Served) -> list[int]:
    pid = server.process.pid
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def begun(server: Served, body: bytes) -> socket.socket:
    """A connection on which a request has begun that lacks the last byte of its body."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    connection.sendall(head + body[:-1])
    return connection


def everything(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_finishes_what_it_took(flower_bundle: Path, told: signal.Signals) -> None:
    with serving(flower_bundle) as server:
        body = json.dumps(FLOWER).join("[]").encode()
        busy, idle = begun(server, body), socket.create_connection(("127.0.0.1", server.port), timeout=20)
        time.sleep(0.3)
        server.process.send_signal(told)
        for worker in workers(server):  # as where a whole group of processes is told
            os.kill(worker, told)
        assert idle.recv(1) == b""
        time.sleep(0.3)
        busy.sendall(body[-1:])
        said = everything(busy)
        assert said.startswith(b"HTTP/1.1 200") and b'"label":0' in said
        assert server.process.wait(10) == 0
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", server.port), timeout=2)


def test_told_to_end_it_finishes_a_large_batch(flower_bundle: Path) -> None:
    with serving(flower_bundle) as server, ThreadPoolExecutor(1) as pool:
        large = pool.submit(server.post, "/predict", [FLOWER] * 80_000)
        time.sleep(0.2)
        server.process.terminate()
        assert large.result(30).status == 200 and len(large.result().json) == 80_000
        assert server.process.wait(10) == 0


def test_a_sender_that_never_finishes_holds_the_server_for_the_grace_only(flower_bundle: Path) -> None:
    with serving(flower_bundle, MLPACK_GRACE_SECONDS="1") as server, begun(server, b"[]") as slow:
        time.sleep(0.3)
        told = time.monotonic()
        server.process.terminate()
        assert server.process.wait(10) == 0
        assert 0.9 < time.monotonic() - told < 5
        with suppress(ConnectionResetError):
            assert slow.recv(1) == b""


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_workers_end_with_their_parent(flower_bundle: Path) -> None:
    """On an IPv6 address, so that this is tried too."""
    with serving(flower_bundle, "--host", "::1", "--workers", 2) as server:
        assert server.facts["address"] == f"http://[::1]:{server.port}"
        connection = http.client.HTTPConnection("::1", server.port, timeout=20)
        connection.request("GET", "/readyz")
        assert connection.getresponse().status == 200
        connection.close()
        orphans = workers(server)
        assert len(orphans) == 2
        server.process.kill()
        server.process.wait(10)
        until = time.monotonic() + 10
        while any(_runs(each) for each in orphans) and time.monotonic() < until:
            time.sleep(0.05)
        assert not [each for each in orphans if _runs(each)]


def _runs(pid: int) -> bool:
    """Whether a process is there that is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_worker_is_back(flower_bundle: Path) -> None:
    """And nobody is refused a connection meanwhile."""
    with serving(flower_bundle) as server:
        (worker,) = workers(server)
        server.post("/predict", [FLOWER])
        os.kill(worker, signal.SIGKILL)
        killed = time.monotonic()
        while worker in workers(server):
            time.sleep(0.01)
        assert server.post("/predict", [FLOWER]).status == 200
        assert time.monotonic() - killed < 4  # 2 s on a machine that is not shared
        assert server.metric("mlpack_worker_starts_total") == 2
        assert server.metric("mlpack_rows_total") == 2


def test_two_workers_count_together(flower_bundle: Path) -> None:
    with serving(flower_bundle, "--workers", 2) as server:
        assert len(workers(server)) == 2
        with ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(lambda _: server.post("/predict", [FLOWER, FLOWER]).status, range(60)))
        assert set(replies) == {200}
        assert server.post("/predict", [7]).status == 400
        assert server.metric('mlpack_requests_total{route="predict",status="200"}') == 60
        assert server.metric('mlpack_request_seconds_bucket{route="predict",le="+Inf"}') == 61
        assert server.metric("mlpack_rows_total") == 120
        assert server.metric('mlpack_refusals_total{reason="invalid"}') == 1
        assert server.metric("mlpack_requests_in_flight") == 1  # the one that asks


def test_too_much_at_once(flower_bundle: Path) -> None:
    """Some are sent away with a time to come back, the others are answered rightly, and health is told."""
    with serving(flower_bundle, MLPACK_MAX_REQUESTS="4") as server:
        body = json.dumps([FLOWER]).encode()
        waiting = [begun(server, body) for _ in range(4)]
        time.sleep(0.3)
        refused = server.post("/predict", body)
        assert refused.status == 503 and refused.headers["retry-after"] == "1"
        assert "limit" in refused.json["error"] and server.get("/livez").status == 200
        for each in waiting:
            each.sendall(body[-1:])
            assert each.recv(4096).startswith(b"HTTP/1.1 200")
            each.close()
        assert server.post("/predict", body).status == 200
        with ThreadPoolExecutor(64) as pool:
            count = Counter(pool.map(lambda _: server.post("/predict", body).status, range(300)))
        assert set(count) <= {200, 503} and count[200]
        assert server.metric('mlpack_requests_total{route="predict",status="503"}') == 1 + count[503]
        assert server.post("/predict", body).status == 200


async def _hammer(port: int, connections: int, seconds: float) -> list[int]:
    """How many answers each of so many connections had."""
    body = json.dumps([FLOWER]).encode()
    request = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    end = time.monotonic() + seconds

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        count = 0
        while time.monotonic() < end:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r")[0]))
            count += 1
        writer.close()
        return count

    return list(await asyncio.gather(*(one() for _ in range(connections))))


def test_no_connection_starves(flower_server: Served) -> None:
    counts = asyncio.run(_hammer(flower_server.port, 300, 1.5))
    assert min(counts) * 4 >= max(counts), sorted(counts)


def test_connections_that_are_too_many(flower_bundle: Path) -> None:
    with serving(flower_bundle, MLPACK_MAX_CONNECTIONS="3") as server:
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
        time.sleep(0.3)
        said = everything(socket.create_connection(("127.0.0.1", server.port), timeout=20))
        assert said.startswith(b"HTTP/1.1 503") and b"retry-after: 1" in said
        for each in held:
            each.close()
        time.sleep(0.3)
        assert server.get("/livez").status == 200


def test_a_large_batch_leaves_the_server_live(flower_server: Served) -> None:
    rows = [FLOWER] * 90_000
    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(flower_server.post, "/predict", rows)
        slowest = 0.0
        while not large.done():
            asked = time.monotonic()
            assert flower_server.get("/livez").status == 200
            slowest = max(slowest, time.monotonic() - asked)
    assert large.result().status == 200 and len(large.result().json) == len(rows)
    assert slowest < 3


def test_bodies_and_batches_that_are_too_large(flower_bundle: Path) -> None:
    with serving(flower_bundle, MLPACK_MAX_BODY="200000", MLPACK_MAX_ROWS="10") as server:
        assert server.post("/predict", [FLOWER] * 10).status == 200
        for path, body in (
            ("/predict", [FLOWER] * 11),
            ("/invocations", {"inputs": {"X": [FLOWER] * 11}}),
            ("/invocations", {"dataframe_split": {"data": [FLOWER] * 11}}),
            ("/predict", [FLOWER] * 20_000),
        ):
            reply = server.post(path, body)
            assert reply.status == 413 and reply.json["error"]
        tensor = {"name": "X", "shape": [11, 4], "datatype": "FP32", "data": FLOWER * 11}
        assert server.post("/v2/models/flowers/infer", {"inputs": [tensor]}).status == 413
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request(
            "POST", "/predict", iter([b" " * 50_000] * 6), {"Transfer-Encoding": "chunked"}, encode_chunked=True
        )
        assert connection.getresponse().status == 413
        assert server.metric('mlpack_refusals_total{reason="too_large"}') == 2


def alone(folder: Path, bundle: Path) -> tuple[Path, Path]:
    """The server's own folder with what it needs, and a model of two files, both readable by all."""
    house, model = folder / "house", folder / "model"
    package = house / "mlpack_toolkit"
    for each in ("runtimes/engine", "runtimes/server"):
        shutil.copytree(ROOT / each, package / each, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "converters").mkdir()
    for each in ("", "runtimes", "converters"):
        (package / each / "__init__.py").touch()
    for name in ("bfloat16.py", "graph_file.py", "image.py", "needs.py", "spec.py"):
        shutil.copy(ROOT / "converters" / name, package / "converters")
    (model / "model").mkdir(parents=True)
    shutil.copy(bundle / "manifest.json", model)
    shutil.copy(bundle / "model/model.onnx", model / "model")
    return house, model


NOT_OURS = """
import sys
from mlpack_toolkit.runtimes.server.transport import worker
print(*sorted({".".join(m.split(".")[m.startswith("mlpack_toolkit.") :][:1]) for m in sys.modules}))
"""


def test_the_server_by_itself(flower_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two folders of ours, a model of two files; another user, without a home and a place for temporary files."""
    house, model = alone(tmp_path_factory.mktemp("alone"), flower_bundle)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(house),
        "HOME": "/nonexistent",
        "TMPDIR": "/nonexistent",
    }
    environment |= {"MLPACK_HOST": "127.0.0.1", "SAGEMAKER_BIND_TO_PORT": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    loaded = subprocess.run(
        [sys.executable, "-c", NOT_OURS], env=environment, capture_output=True, text=True, timeout=60, cwd="/"
    )
    assert "runtimes" in loaded.stdout and not {"packager", "templates", "onnx", "pyarrow"} & set(loaded.stdout.split())
    command = [sys.executable, "-m", "mlpack_toolkit.runtimes.server", str(model), "serve"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, cwd="/", **_nobody(house, model)
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "flowers 1.0.0 answers at http://127.0.0.1:" in line
        server = Served(process, int(line.rpartition(":")[2]), model, {"name": "flowers"})
        assert server.post("/predict", [FLOWER]).json[0]["label"] == 0
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def _nobody(*folders: Path) -> dict[str, int]:
    """The user to run as where this user may choose, who can then read the folders and the interpreter."""
    if os.getuid() or not Path(sys.executable).resolve().is_relative_to("/usr"):
        return {}
    for each in {parent for folder in folders for parent in folder.parents if parent.is_relative_to("/tmp")}:
        each.chmod(each.stat().st_mode | 0o055)
    return {"user": 65534, "group": 65534}


def test_what_cannot_be_served(flower_bundle: Path, flower_server: Served, mlpack: Run, tmp_path: Path) -> None:
    code, said, _ = mlpack("serve", tmp_path)
    assert code == 2 and "is not a bundle" in said["error"]["message"]
    code, said, _ = mlpack("serve", flower_bundle, "--port", flower_server.port)
    assert code == 2 and "cannot listen" in said["error"]["message"]
    copy = tmp_path / "copy"
    shutil.copytree(flower_bundle, copy)
    (copy / "model/model.onnx").write_bytes(b"not a graph")
    code, said, _ = mlpack("serve", copy, "--port", 0)
    assert code == 8 and "not as it was built" in said["error"]["message"]
    (copy / "manifest.json").write_text("{}")
    assert mlpack("serve", copy, "--port", 0)[0] == 8


def test_a_missing_package_is_named(flower_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_module, "find_spec", lambda name: None if name == "uvloop" else name)
    with pytest.raises(MissingToolError, match=r"uvloop.*mlpack-toolkit\[serve\]"):
        serving_module.serve(flower_bundle, "127.0.0.1", 0, 1, lambda facts: None)
