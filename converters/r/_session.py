"""The R process that holds a model: started, asked through files, told apart from its noise."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from .._rds import Item, read
from .._rds_write import write
from ..spec import MissingTool, Unreadable, Unsupported

START_SECONDS = 120.0
SAFE_VERSION = (4, 4)
"""From here on reading a file runs no code of it (CVE-2024-27322)."""


class RError(Exception):
    """R stopped with this message."""


def rscript(given: str) -> str:
    """The program that runs R: the given one, that of `R_HOME`, or the one on the path; `MissingTool` for none."""
    home = os.environ.get("R_HOME", "")
    found = given or (os.path.join(home, "bin", "Rscript") if home else "") or shutil.which("Rscript")
    if not found or shutil.which(found) is None:
        named = f" (not {found})" if found else ""
        raise MissingTool(
            f"R is needed for this model and was not found{named}: give its Rscript with --rscript PATH, set R_HOME, "
            "or install it (Debian: apt-get install r-base-core)"
        )
    return found


@cache
def version_of(program: str) -> tuple[int, int]:
    """Major and minor version of an R."""
    script = 'cat(R.version$major, sub("[.].*", "", R.version$minor))'
    done = subprocess.run([program, "--vanilla", "-e", script], capture_output=True, text=True, timeout=START_SECONDS)
    try:
        major, minor = done.stdout.split()[-2:]
        return int(major), int(minor)
    except ValueError as error:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise MissingTool(f"{program} does not run as Rscript: {last}") from error


@lru_cache(maxsize=1)
def no_network() -> tuple[str, ...]:
    """The command before another that takes its network away; none where this machine does not let us."""
    command = ("unshare", "--map-root-user", "--net")
    try:
        done = subprocess.run([*command, "true"], capture_output=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return command if done.returncode == 0 else ()


class Session:
    """One R process. Its home is a folder of its own; an R that may run code while it reads has no network either."""

    def __init__(self, program: str) -> None:
        self.version = version_of(program)
        self._folder = Path(tempfile.mkdtemp(prefix="mlpack-r-"))
        self._count = 0
        replies = self._folder / "replies"
        os.mkfifo(replies)
        self._replies = os.open(replies, os.O_RDONLY | os.O_NONBLOCK)
        isolated = no_network() if self.version < SAFE_VERSION else ()
        worker = Path(__file__).with_name("_worker.R")
        (self._folder / "home").mkdir()
        self._process = subprocess.Popen(
            [*isolated, program, "--vanilla", str(worker), str(replies)],
            stdin=subprocess.PIPE,
            cwd=self._folder / "home",
            env=_environment(self._folder / "home"),
        )
        weakref.finalize(self, _end, self._process, self._replies, self._folder)

    def ask(self, command: str, **request: Any) -> Item:
        """R's answer; `Unsupported` where our R code refuses, `RError` where R stops, `Unreadable` where it ends."""
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
            raise Unreadable(self._obituary()) from error

    def _wait(self) -> None:
        """Until R has answered; a limit on its time is the worker's."""
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._replies], [], [], 0.2)
            chunk = os.read(self._replies, 4096) if ready else b""
            if not chunk and self._process.poll() is not None:
                raise Unreadable(self._obituary())
            line += chunk

    def _obituary(self) -> str:
        status = self._process.wait()
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        return f"R ended ({how}) while it worked on the model; what it printed last is above"


def _end(process: subprocess.Popen[bytes], replies: int, folder: Path) -> None:
    process.kill()
    process.wait()
    os.close(replies)
    shutil.rmtree(folder, ignore_errors=True)


def _environment(home: Path) -> Mapping[str, str]:
    """R's own: a home of its own, English messages, UTF-8, one thread."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("R_PROFILE", "R_ENVIRON"))}
    return {
        **kept,
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANGUAGE": "en",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "R_DEFAULT_PACKAGES": "methods,stats",
    }
