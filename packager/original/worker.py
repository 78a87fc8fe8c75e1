"""The model's own interpreter as a child process: started, queried, limited in time and memory, killed."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, Any, Protocol

from mlpack_toolkit import converters
from mlpack_toolkit.converters.messages import Convert, Failure, Load, Noise, Observe, Predict, R, Request, line_of
from mlpack_toolkit.converters.spec import Axes, Table
from mlpack_toolkit.converters.table import rows_of

from ..errors import ConversionError, MissingToolError, MlpackError, ModelError, UsageError
from ..paths import kept, program
from .replies import MOST_REPLY, hand_over, odd, parse_reply, table_in, tensors_in

_BOOT = """
import importlib.util, sys
if sys.path and not sys.path[0]:
    del sys.path[0]
folder, replies, memory = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
spec = importlib.util.spec_from_file_location(
    "_mlpack_converters", folder + "/__init__.py", submodule_search_locations=[folder])
package = importlib.util.module_from_spec(spec)
sys.modules["_mlpack_converters"] = package
spec.loader.exec_module(package)
from _mlpack_converters._worker import session
session.serve(replies, memory)
"""

_ERRORS: dict[str, type[MlpackError]] = {
    "Unsupported": ConversionError,
    "Unreadable": ModelError,
    "MissingTool": MissingToolError,
    "BadExample": UsageError,
    "MemoryError": ModelError,
}
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
_OWN_FOLDERS = ("TMPDIR", "XDG_CACHE_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "JOBLIB_TEMP_FOLDER")
"""Cache folders of libraries: the sandbox allows writing in the scratch folder only."""
LAST_WORDS_SECONDS = 5.0
MOST_WORDS = 1 << 14
CONFINED = (
    "; while a model is loaded and asked, it may start no program, open no connection, and write in no folder but its "
    "own (docs/trust.md)"
)


@dataclass(frozen=True)
class Limits:
    """What a worker may use: `seconds` per command, `memory` in bytes of data and of each file that it writes (default:
    the machine's)."""

    seconds: float = 1800.0
    memory: int = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


class Child(Protocol):
    """What a worker needs of its process: a part of `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...
    @property
    def stdin(self) -> IO[bytes] | None: ...
    def wait(self, timeout: float | None = None) -> int: ...


def environment(scratch: Path) -> dict[str, str]:
    """Our environment variables, with those that make answers repeatable and put caches into the worker's folder."""
    fixed = {"ORT_DISABLE_TELEMETRY": "1", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    return {**os.environ, **dict.fromkeys(_ONE_THREAD, "1"), **dict.fromkeys(_OWN_FOLDERS, str(scratch)), **fixed}


def start(command: Sequence[str], scratch: Path, environment: Mapping[str, str], replies: int, log: IO[bytes]) -> Child:
    """Starts the command in `scratch` as a session of its own. `replies`: the descriptor that it inherits."""
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=scratch,
        env=environment,
        pass_fds=(replies,),
        start_new_session=True,
    )


class Worker:
    """A child process that holds one model. Use as a context manager; leaving it kills the process."""

    def __init__(self, python: str, scratch: Path, limits: Limits, settings: Mapping[str, str] | None = None) -> None:
        self._limits = limits
        self._log = scratch / "worker.log"
        read, write = os.pipe()
        folder = str(Path(converters.__file__).parent)
        command = [program(python), "-c", _BOOT, folder, str(write), str(limits.memory)]
        try:
            with self._log.open("wb") as log:
                surroundings = {**environment(scratch), **(settings or {})}
                self._process = start(command, scratch, surroundings, write, log)
        except OSError as error:
            os.close(read)
            raise MissingToolError(f"the interpreter {python} cannot be started: {error.strerror}") from error
        finally:
            os.close(write)
        self._replies = os.fdopen(read, "rb", buffering=0)
        self._rest = b""

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def alive(self) -> bool:
        """Whether the process still runs."""
        try:
            self._process.wait(0)
        except subprocess.TimeoutExpired:
            return True
        return False

    def kill(self) -> None:
        """Ends the process and all that it started; does nothing again, as its number may be another process's then."""
        if self._replies.closed:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._replies.close()

    def predict(self, rows: Table, scratch: Path, axes: Axes | None = None) -> Table:
        """The original's answers to the rows; `axes`: the batch axis of each tensor, the first one if not given."""
        hand_over(rows, scratch / "rows.npz")
        path, count = scratch / "answers.npz", rows_of(rows, axes)
        self.call(Predict(rows=str(scratch / "rows.npz"), out=str(path)))
        answers = table_in(path) if axes is None else tensors_in(path)
        along = {name: 0 if axes is None else axes.get(name) for name in answers}
        if axes is not None and (strange := answers.keys() - axes.keys()):
            raise odd(f"{path.name} holds an output {sorted(strange)[0][:80]!r}")
        for name, axis in along.items():
            if axis is not None and answers[name].shape[axis : axis + 1] != (count,):
                raise odd(f"an answer of the shape {list(answers[name].shape)} to {count} rows")
        return answers

    def noise(self, rows: Table, scratch: Path) -> Mapping[str, float]:
        """By output of floats, the largest difference of the original's answers from themselves, computed otherwise."""
        hand_over(rows, scratch / "rows.npz")
        return self.call(Noise(str(scratch / "rows.npz"))).outputs

    def observe(self, rows: Table, scratch: Path, asked: Observe) -> tuple[Table, Sequence[str]]:
        """The answers of the original's parts, each under the path of its part and a number; paths without answers
        because they are too large."""
        hand_over(rows, Path(asked.rows))
        left_out = self.call(asked).left_out
        return tensors_in(Path(asked.out)), left_out

    def send(self, request: Request[Any]) -> None:
        """Starts a command; `receive` waits for it."""
        if isinstance(request, Load):
            request = replace(request, needed=(str(kept()),))
        self._write((json.dumps(line_of(request)) + "\n").encode())

    def _write(self, line: bytes) -> None:
        """Writes the line as fast as the process reads it; kills a process that does not read."""
        assert self._process.stdin is not None
        pipe, end = self._process.stdin.fileno(), monotonic() + self._limits.seconds
        os.set_blocking(pipe, False)
        with contextlib.suppress(BrokenPipeError):
            while line:
                if not select.select([], [pipe], [], max(0.0, end - monotonic()))[1]:
                    raise self._late()
                line = line[os.write(pipe, line) :]

    def receive(self, request: Request[R]) -> R:
        """The reply to the request that was sent; raises the worker's error, or an error that describes how it died."""
        reply = parse_reply(self._line(request), request)
        if isinstance(reply, Failure):
            raise _error(reply, request)
        return reply

    def call(self, request: Request[R]) -> R:
        """Sends a command and waits for its reply."""
        self.send(request)
        return self.receive(request)

    def _line(self, request: Request[Any]) -> bytes:
        line, end, chunk = bytearray(), monotonic() + self._limits.seconds, self._rest
        while b"\n" not in chunk:
            line += chunk
            if len(line) > MOST_REPLY:
                self.kill()
                raise odd(f"its reply to {request.command} has more than {MOST_REPLY:,} bytes")
            ready, _, _ = select.select([self._replies], [], [], max(0.0, end - monotonic()))
            if not ready:
                raise self._late()
            chunk = os.read(self._replies.fileno(), 1 << 20)
            if not chunk:
                raise ModelError(self._obituary())
        last, _, self._rest = chunk.partition(b"\n")
        return bytes(line + last + b"\n")

    def _late(self) -> ModelError:
        self.kill()
        return ModelError(f"the model's process was killed: no answer within {self._limits.seconds:g} s")

    def _obituary(self) -> str:
        try:
            status = self._process.wait(LAST_WORDS_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return "the model's process was killed: it closed its connection to mlpack and kept running"
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        lines = self._last_words().strip().splitlines()[-3:]
        return f"the model's process died ({how}); its last output: " + " / ".join(lines)

    def _last_words(self) -> str:
        """The end of the process's output; empty where it removed its log."""
        try:
            with self._log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - MOST_WORDS))
                return log.read(MOST_WORDS).decode(errors="replace")
        except OSError:
            return ""


def _error(failure: Failure, request: Request[Any]) -> MlpackError:
    kind, message = failure.kind, failure.message + (CONFINED if failure.confined else "")
    if failure.missing:
        return ModelError(
            f"the model needs the module {failure.missing!r}, which its interpreter does not have: "
            "give the interpreter that it was trained with (--python PATH), "
            "or the folder of your own modules (--code DIR)"
        )
    if kind in _ERRORS:
        return _ERRORS[kind](message)
    if isinstance(request, Convert):
        return ConversionError(f"the converter fails on this model: {kind}: {message}")
    return ModelError(f"the model cannot be read or asked: {kind}: {message}")
