"""Forks the model's process from one that has imported its frameworks: a test run starts hundreds.

Tests of the start itself (`tests/packager/original/test_worker.py`) start workers as a user does.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO

from mlpack_toolkit.packager.original import worker
from mlpack_toolkit.packager.original.worker import Child, start
from tests.quick import CAPTURES, CLOCK

SERVER = Path(__file__).with_name("warm_server.py")
PLACE = "MLPACK_TEST_WARM_WORKERS"
CLI = f"""
import sys
sys.path[0] = {str(SERVER.parents[1])!r}
sys.argv[0] = "mlpack"
from mlpack_toolkit.packager.original import worker
from mlpack_toolkit.packager.cli import main
from tests.warm import warm_start
worker.start = warm_start
main()
"""
"""The command line as a program for `python -c`, with workers started the warm way and quick builds."""
READ_AT_START = ("PYTHON", "LD_", "OMP_", "OPENBLAS_", "MKL_", "NPY_", "LOKY_", "ORT_", "LANG", "LC_")


@cache
def quick_builds() -> None:
    """From now on this process looks at its environment once a run, and times a build for a moment only.

    The first worker that a process starts calls it: a command that starts none need not import all of this.
    """
    from mlpack_toolkit.packager.commands import build
    from mlpack_toolkit.packager.environments import recording
    from tests.remembered import Remembered

    build.SECONDS_PER_BATCH_SIZE = CLOCK
    recording.Capture = Remembered  # type: ignore[assignment,misc]


class Fork:
    """A worker that another process forked; the same words as `subprocess.Popen`."""

    def __init__(self, pid: int, stdin: IO[bytes], line: socket.socket) -> None:
        self.pid, self.stdin, self._line = pid, stdin, line
        self._code: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative for a signal; raises `subprocess.TimeoutExpired`."""
        if self._code is None:
            if not select.select([self._line], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("worker", timeout or 0)
            self._code = int(self._line.recv(64))
            self._line.close()
        return self._code


@contextmanager
def warm_workers() -> Iterator[None]:
    """Runs the server, and starts workers through it as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:
        environment = worker.environment(Path(folder))
        place = os.path.join(folder, "line")
        server = subprocess.Popen([sys.executable, SERVER, place], env=environment, stdin=subprocess.PIPE, cwd=folder)
        os.environ[PLACE] = place
        os.environ[PLACE + "_START"] = json.dumps(_read_at_start(environment))
        os.environ[CAPTURES] = os.path.join(folder, "captures")
        os.mkdir(os.environ[CAPTURES])
        worker.start = warm_start
        quick_builds()
        try:
            yield
        finally:
            worker.start = start
            server.kill()
            server.wait()


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """What the interpreter and the libraries read when they start; all else can be set after the fork."""
    return {n: v for n, v in sorted(environment.items()) if n.startswith(READ_AT_START)}


def warm_start(
    command: Sequence[str], scratch: Path, environment: Mapping[str, str], replies: int, log: IO[bytes]
) -> Child:
    """Forks a worker where the server has started as `command` would; else starts it."""
    quick_builds()
    python, _, program, *arguments = command
    known = json.loads(os.environ[PLACE + "_START"])
    if python != sys.executable or _read_at_start(environment) != known:
        return start(command, scratch, environment, replies, log)
    request = {"cwd": str(scratch), "environment": dict(environment), "program": program}
    request |= {"arguments": arguments, "replies": str(replies)}
    line = _connect(os.environ[PLACE])
    commands, stdin = os.pipe()
    socket.send_fds(line, [json.dumps(request).encode()], [commands, log.fileno(), replies])
    os.close(commands)
    return Fork(int(line.recv(64)), os.fdopen(stdin, "wb", 0), line)


def _connect(place: str) -> socket.socket:
    for _ in range(600):
        if Path(place).exists():
            break
        time.sleep(0.1)
    line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    line.connect(place)
    return line
