"""The parent process: binds the port, forks workers, replaces dead ones, stops them in order. It loads no model."""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec

from ...engine.errors import Damaged, NoModel, NoProvider
from ..bundle_info import Described
from ..settings import Settings
from .metrics import Board

BACKLOG = 2048
MOST_FILES = 65536
SLOWEST_START = 300
"""The most seconds for a worker to load its model."""
SHORT_LIFE = 2.0
MOST_DELAY = 1.0
"""In seconds: a worker that died within `SHORT_LIFE` restarts later each time, by at most `MOST_DELAY`."""


@dataclass
class _Child:
    slot: int
    pipe: int
    started: float
    said: bytes = b""


@dataclass
class Supervisor:
    """Manages the workers of one port."""

    described: Described
    settings: Settings
    announce: Callable[[str], None]
    children: dict[int, _Child] = field(default_factory=dict)
    due: dict[int, float] = field(default_factory=dict)
    ending: bool = False
    announced: bool = False
    short: int = 0

    def run(self) -> None:
        """Serves until SIGTERM or an interrupt; raises `NoModel`, `NoProvider` and `Damaged`."""
        if self.settings.grpc_port and find_spec("grpc") is None:
            raise NoModel("gRPC needs grpcio: pip install 'mlpack-toolkit[grpc]', or leave MLPACK_GRPC_PORT unset")
        _many_files()
        self.listening = bind(self.settings.host, self.settings.port)
        self.board = Board(self.settings.workers)
        self.wake, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(self.wake, False)
        before = {n: signal.signal(n, self._on_signal) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)}
        woken = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        try:
            for slot in range(self.settings.workers):
                self._start(slot)
            while self.children or (self.due and not self.ending):
                self._turn()
        finally:
            self._kill()
            signal.set_wakeup_fd(woken)
            for number, handler in before.items():
                signal.signal(number, handler)
            self.listening.close()
            os.close(wake)
            os.close(self.wake)

    def _on_signal(self, number: int, frame: object) -> None:
        if number != signal.SIGCHLD and not self.ending:
            self.ending = True
            self.deadline = time.monotonic() + self.settings.grace + 2
            self.listening.close()
            for pid in self.children:
                os.kill(pid, signal.SIGTERM)

    def _turn(self) -> None:
        """Waits for signals and workers' messages, and handles them."""
        pipes = {c.pipe: c for c in self.children.values() if c.pipe >= 0}
        readable = select.select([self.wake, *pipes], [], [], self._patience())[0]
        if self.wake in readable:
            os.read(self.wake, 512)
        for pipe in readable:
            if pipe in pipes:
                self._read_message(pipes[pipe])
        self._reap()
        now = time.monotonic()
        for slot in [s for s, when in self.due.items() if when <= now and not self.ending]:
            del self.due[slot]
            self._start(slot)
        if self.ending and now > self.deadline:
            self._kill()

    def _patience(self) -> float:
        now = time.monotonic()
        return max(0.0, min([1.0, *(when - now for when in self.due.values())]))

    def _read_message(self, child: _Child) -> None:
        heard = os.read(child.pipe, 4096)
        child.said += heard
        if not heard:
            os.close(child.pipe)
            child.pipe = -1
        if not self.announced and all(c.said == b"ready" for c in self.children.values()) and not self.due:
            self.announced = True
            self.announce(address(self.listening))

    def _reap(self) -> None:
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            child = self.children.pop(pid, None)
            if child is None:
                continue
            if child.pipe >= 0:
                child.said += os.read(child.pipe, 4096)
                os.close(child.pipe)
            if not self.ending:
                self._replace(child, status)

    def _replace(self, child: _Child, status: int) -> None:
        if child.said.startswith(b"error: ") and not self.announced:
            raise Damaged(child.said.removeprefix(b"error: ").decode())
        if child.said.startswith(b"absent: ") and not self.announced:
            raise NoProvider(child.said.removeprefix(b"absent: ").decode())
        lived = time.monotonic() - child.started
        self.short = self.short + 1 if lived < SHORT_LIFE else 0
        if self.short > 20 and not self.announced:
            raise Damaged("the workers die while they load the model")
        how = f"signal {-code}" if (code := os.waitstatus_to_exitcode(status)) < 0 else f"exit code {code}"
        print(f"a worker ended after {lived:.1f} s with {how}: starting another", file=sys.stderr, flush=True)
        self.due[child.slot] = time.monotonic() + min(MOST_DELAY, 0.1 * max(0, self.short - 1))

    def _start(self, slot: int) -> None:
        reads, writes = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            os.close(reads)
            self._run_worker(slot, writes)
        os.close(writes)
        self.children[pid] = _Child(slot, reads, time.monotonic())
        if self.ending:
            os.kill(pid, signal.SIGTERM)

    def _run_worker(self, slot: int, pipe: int) -> None:
        """Runs the worker in the forked process; never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            from .worker import work

            board = self.board.of_worker(slot)
            work(self.described, self.settings, self.listening, board, lambda: _say(pipe, b"ready"))
            code = 0
        except Damaged as error:
            _say(pipe, b"error: " + str(error).encode()[:4000])
        except NoProvider as error:
            _say(pipe, b"absent: " + str(error).encode()[:4000])
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _kill(self) -> None:
        for pid in list(self.children):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            child = self.children.pop(pid)
            if child.pipe >= 0:
                os.close(child.pipe)


def _many_files() -> None:
    """Raises the limit of open files, so that a worker can have as many connections as the system allows."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= now < MOST_FILES:
        wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(MOST_FILES, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _say(pipe: int, words: bytes) -> None:
    os.write(pipe, words)
    os.close(pipe)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; raises `NoModel` with the reason."""
    try:
        family, kind, number, _, place = socket.getaddrinfo(host or None, port, 0, socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, number)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(place)
        found.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        raise NoModel(f"cannot listen on {host} port {port}: {getattr(error, 'strerror', None) or error}") from error
    found.set_inheritable(True)
    found.setblocking(False)
    return found


def address(listening: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
