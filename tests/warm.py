"""Forks the model's process, and the command `mlpack`, from ones that have imported their modules: a test run starts
hundreds.

Tests of the start itself (`tests/packager/original/test_worker.py`) start workers as a user does.
"""

from __future__ import annotations

import json
import os
import select
import signal
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
from tests.quick import CAPTURES, CLOCK, TENSORFLOW, TORCH

SERVER = Path(__file__).with_name("warm_server.py")
PREFIX = "MLPACK_TEST_WARM_"
FRAMEWORKS = ("numpy", "pandas", "scipy.stats", "joblib", "sklearn.ensemble", "sklearn.pipeline", "onnx", "skl2onnx")
"""What models import."""
TORCH_MODULES = ("numpy", "torch", "onnx", "onnxscript", "torch.onnx._internal.exporter._core")
TENSORFLOW_MODULES = ("numpy", "tensorflow", "keras", "onnx", "tf2onnx", "tf2onnx.tf_loader", "tf2onnx.convert")
TENSORFLOW_SETTINGS = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "TF_ENABLE_ONEDNN_OPTS": "0"}
"""What a worker sets before it imports TensorFlow, which reads it then."""
TORCH_MODULES += ("?tokenizers", "?transformers.generation.utils", "?transformers.models.auto.modeling_auto")
TORCH_MODULES += ("?transformers.models.bert.modeling_bert", "?transformers.models.mistral.modeling_mistral")
MODULES = ("numpy", "pandas", "onnx", "onnxruntime", "mlpack_toolkit.packager.commands.build")
"""What commands import."""
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
    """A process that another one forked; the same words as `subprocess.Popen`."""

    stdin: IO[bytes] | None = None

    def __init__(self, pid: int, line: socket.socket) -> None:
        self.pid, self._line = pid, line
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
def warm_processes() -> Iterator[None]:
    """Runs the two servers, and starts workers and commands through them as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:
        os.environ[CAPTURES] = os.path.join(folder, "captures")
        os.mkdir(os.environ[CAPTURES])
        with (
            _server("WORKERS", sys.executable, worker.environment(Path(folder)), FRAMEWORKS),
            _server("COMMANDS", sys.executable, os.environ, MODULES),
        ):
            worker.start = warm_start
            quick_builds()
            try:
                yield
            finally:
                worker.start = start


@contextmanager
def warm_torch() -> Iterator[None]:
    """Runs a server for workers that read models of torch, with the interpreter that has it."""
    with _server("TORCH", TORCH, worker.environment(Path(tempfile.gettempdir())), TORCH_MODULES):
        yield


@contextmanager
def warm_tensorflow() -> Iterator[None]:
    """Runs a server for workers that read models of TensorFlow, with the interpreter that has it."""
    environment = {**worker.environment(Path(tempfile.gettempdir())), **TENSORFLOW_SETTINGS}
    with _server("TENSORFLOW", TENSORFLOW, environment, TENSORFLOW_MODULES):
        yield


@contextmanager
def _server(name: str, python: str, environment: Mapping[str, str], modules: Sequence[str]) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:
        place = os.path.join(folder, "line")
        command = [python, SERVER, place, *modules]
        server = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, cwd=folder)
        os.environ[PREFIX + name] = place
        os.environ[PREFIX + name + "_START"] = json.dumps(_read_at_start(environment))
        try:
            yield
        finally:
            del os.environ[PREFIX + name]
            server.kill()
            server.wait()


def run_mlpack(
    *arguments: object, cwd: Path, environment: Mapping[str, str] | None = None, timeout: float = 600
) -> subprocess.CompletedProcess[str]:
    """Runs `mlpack ARGUMENTS` in a process of its own, forked where its interpreter would start as the server did."""
    surroundings, words = {**os.environ, **(environment or {})}, [*map(str, arguments)]
    if not _same_start("COMMANDS", surroundings):
        program = [sys.executable, "-c", CLI, *words]
        return subprocess.run(program, cwd=cwd, env=surroundings, capture_output=True, text=True, timeout=timeout)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error, open(os.devnull, "rb") as nothing:
        passed = [nothing.fileno(), out.fileno(), error.fileno()]
        process = _forked("COMMANDS", cwd, surroundings, CLI, words, passed)
        try:
            code = process.wait(timeout)
        except BaseException:
            os.kill(process.pid, signal.SIGKILL)
            raise
        return subprocess.CompletedProcess(words, code, _text(out), _text(error))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """What the interpreter and the libraries read when they start; all else can be set after the fork."""
    return {n: v for n, v in sorted(environment.items()) if n.startswith(READ_AT_START)}


def warm_start(
    command: Sequence[str], scratch: Path, environment: Mapping[str, str], replies: int, log: IO[bytes]
) -> Child:
    """Forks a worker where the server has started as `command` would; else starts it."""
    quick_builds()
    python, _, program, *arguments = command
    server = {TORCH: "TORCH", TENSORFLOW: "TENSORFLOW"}.get(python, "WORKERS")
    if python not in (sys.executable, TORCH, TENSORFLOW) or not _same_start(server, environment):
        return start(command, scratch, environment, replies, log)
    commands, stdin = os.pipe()
    passed = [commands, log.fileno(), log.fileno(), replies]
    process = _forked(server, scratch, environment, program, arguments, passed, str(replies))
    os.close(commands)
    process.stdin = os.fdopen(stdin, "wb", 0)
    return process


def _same_start(server: str, environment: Mapping[str, str]) -> bool:
    """Whether the server runs, and has started as a process in this environment would."""
    if PREFIX + server not in os.environ:
        return False
    return _read_at_start(environment) == json.loads(os.environ[f"{PREFIX}{server}_START"])


def _forked(
    server: str,
    cwd: Path,
    environment: Mapping[str, str],
    program: str,
    arguments: Sequence[str],
    passed: Sequence[int],
    kept: str | None = None,
) -> Fork:
    """The server's new process; `passed`: its first descriptors, then the one whose number is the argument `kept`."""
    request = {"cwd": str(cwd), "environment": dict(environment), "program": program}
    line = _connect(os.environ[PREFIX + server])
    message = json.dumps({**request, "arguments": list(arguments), "kept": kept}).encode()
    socket.send_fds(line, [message], passed)
    return Fork(int(line.recv(64)), line)


def _connect(place: str) -> socket.socket:
    for _ in range(600):
        if Path(place).exists():
            break
        time.sleep(0.1)
    line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    line.connect(place)
    return line
