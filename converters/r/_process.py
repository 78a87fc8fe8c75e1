"""The R process for a model: starts it, sends requests through files, and separates its replies from its output."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import tempfile
import weakref
from functools import lru_cache
from pathlib import Path
from typing import Any

from .._sandbox._launch import start
from ..rds import Item, read
from ..rds_writer import write
from ..spec import Unreadable, Unsupported
from ._program import look_at, own_environment


class RError(Exception):
    """R stopped with this message."""


class RProcess:
    """One R process in its own sandbox, with its home folder in the only writable place.

    `sandbox`: the guards in force; empty where the system does not reveal how R itself is started.
    """

    def __init__(self, rscript: str) -> None:
        found = look_at(rscript)
        self.version = found.version
        self.sandbox: dict[str, Any] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="mlpack-r-"))
        self._count = 0
        replies = self._folder / "replies"
        os.mkfifo(replies)
        self._replies = os.open(replies, os.O_RDONLY | os.O_NONBLOCK)
        home = self._folder / "home"
        home.mkdir()
        own = {"HOME": str(home), "TMPDIR": str(home)}
        script = [str(Path(__file__).with_name("_worker.R")), str(replies)]
        if found.binary:
            arguments = ["--slave", "--no-restore", "--vanilla", f"--file={script[0]}", "--args", script[1]]
            environment = {**found.environment, **own}
            self._process, self.sandbox = start(found.binary, arguments, environment, self._folder, home)
        else:
            self._process = subprocess.Popen(
                [rscript, "--vanilla", *script], stdin=subprocess.PIPE, cwd=home, env={**own_environment(), **own}
            )
        weakref.finalize(self, _end, self._process, self._replies, self._folder)

    def ask(self, command: str, **request: Any) -> Item:
        """Returns R's reply; raises `Unsupported` if our code refuses, `RError` if R stops, `Unreadable` if it ends."""
        self._count += 1
        path = self._folder / f"{self._count}.rds"
        path.write_bytes(write({"command": command, **request}))
        self._send(f"{path}\n".encode())
        self._wait()
        answer = Path(f"{path}.answer")
        reply = read(answer.read_bytes()).root.items()
        path.unlink()
        answer.unlink()
        if reply["ok"].value[0]:
            return reply["value"]
        message = reply["message"].value[0]
        raise (Unsupported if reply["refusal"].value[0] else RError)(message)

    def _send(self, line: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise Unreadable(self._exit_report()) from error

    def _wait(self) -> None:
        """Waits until R has replied; the worker limits the time."""
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._replies], [], [], 0.2)
            chunk = os.read(self._replies, 4096) if ready else b""
            if not chunk and self._process.poll() is not None:
                raise Unreadable(self._exit_report())
            line += chunk

    def _exit_report(self) -> str:
        status = self._process.wait()
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        return f"R ended ({how}) while it worked on the model; its last output is above"


@lru_cache(maxsize=1)
def held(rscript: str) -> RProcess:
    """Returns the only session of this process: R is started once, before the process itself enters its sandbox."""
    return RProcess(rscript)


def _end(process: subprocess.Popen[bytes], replies: int, folder: Path) -> None:
    with contextlib.suppress(PermissionError):  # raised in a sandbox; R then ends at the end of its input
        process.kill()
        process.wait()
    os.close(replies)
    shutil.rmtree(folder, ignore_errors=True)
