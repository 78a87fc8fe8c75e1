"""What a container engine calls every few seconds: the server's own program, told to ask the server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from mlpack_toolkit.runtimes.server.transport.health import is_ready

from .conftest import ROOT, Served


def _asked(**variables: str) -> int:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        [sys.executable, "-m", "mlpack_toolkit.runtimes.server", "health"], env=environment, timeout=60
    ).returncode


def test_a_server_that_answers_is_ready(flower_server: Served) -> None:
    assert is_ready("0.0.0.0", flower_server.port) and is_ready("127.0.0.1", flower_server.port)
    assert _asked(AIP_HTTP_PORT=str(flower_server.port)) == 0


def test_a_port_where_nobody_or_someone_else_answers_is_not() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        assert not is_ready("127.0.0.1", port)
        assert _asked(PORT=str(port)) == 1
    with socket.create_server(("127.0.0.1", 0)) as other, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(is_ready, "127.0.0.1", other.getsockname()[1])
        connection = other.accept()[0]
        connection.recv(100)
        connection.sendall(b"SSH-2.0-something\r\n")
        connection.close()
        assert not asked.result(30)
