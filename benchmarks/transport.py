"""Our HTTP transport beside stock uvicorn, with the same handlers: is it worth its lines?

`python -m benchmarks.transport [--json] [--rounds 9] [--seconds 3] [--folder FOLDER]`: a logistic regression on 30
columns, requests of 1 and of 100 rows in the Open Inference Protocol, 1 and 16 connections kept open, by wrk with one
thread, one worker each. Beside ours, `benchmarks/_asgi.py` on uvicorn, httptools and uvloop, `bare` and `bounded`. All
servers run all the time and take turns under load, in each round in another order; each ratio is that of one round, so
that what else the machine does meets all of them. CPU: of all the server's processes, per request. Needs `wrk` and
`pip install uvicorn`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from ._load import free_port, post
from ._process import MLPACK, ROOT
from ._servers import FEATURES, QUIET, TRAIN
from ._show import show

MODEL_PATH = "/v2/models/m/infer"
ROWS = (1, 100)
CONNECTIONS = (1, 16)
SERVERS = ("ours", "bare", "bounded")
START_SECONDS = 60
WARM_SECONDS = 1
TICK = os.sysconf("SC_CLK_TCK")


class Figures(NamedTuple):
    """Requests a second, latencies in ms, and CPU microseconds per request of all the server's processes."""

    rate: float
    p50: float
    p99: float
    cpu: float


def measure(folder: Path, rounds: int, seconds: int) -> list[dict[str, Any]]:
    """A row per size of request and number of connections."""
    _build(folder)
    bodies = {rows: _body(folder, rows) for rows in ROWS}
    with ExitStack() as stack:
        pids = {name: stack.enter_context(_running(folder, name, bodies[1])) for name in SERVERS}
        _same_answers(pids, bodies)
        return [
            _summary(rows, connections, _rounds(folder, pids, bodies[rows], connections, rounds, seconds))
            for rows in ROWS
            for connections in CONNECTIONS
        ]


def _build(folder: Path) -> None:
    environment = {**os.environ, **QUIET, "PYTHONPATH": str(ROOT)}
    build = ("build", "model.joblib", "--example", "rows.npy", "--name", "m", "--version", "1", "-o", "dist")
    for command in ([sys.executable, "-c", TRAIN, str(FEATURES)], [*MLPACK, *build]):
        if not (folder / "dist" / "m-1").is_dir():
            subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)


def _body(folder: Path, rows: int) -> Path:
    """The file with a request of so many rows."""
    data = np.load(folder / "rows.npy")[:rows].ravel().tolist()
    path = folder / f"body-{rows}.json"
    tensor = {"name": "X", "shape": [rows, FEATURES], "datatype": "FP64", "data": data}
    path.write_text(json.dumps({"inputs": [tensor]}))
    return path


@contextmanager
def _running(folder: Path, name: str, body: Path) -> Iterator[tuple[int, str]]:
    """The process and the address of a server that answers."""
    port = free_port()
    ours = [*MLPACK, "serve", "dist/m-1", "--port", str(port)]
    plain = [sys.executable, "-m", "benchmarks._asgi", "dist/m-1", str(port), name]
    environment = {**os.environ, **QUIET, "PYTHONPATH": str(ROOT)}
    with (folder / f"{name}.log").open("wb") as log:
        command = ours if name == "ours" else plain
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}{MODEL_PATH}"
    try:
        _await(process, address, body)
        yield process.pid, address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _await(process: subprocess.Popen[bytes], address: str, body: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            _answer(address, body)
            return
        time.sleep(0.05)
    raise RuntimeError(f"{address} does not answer")


def _answer(address: str, body: Path) -> bytes:
    request = urllib.request.Request(address, body.read_bytes(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=START_SECONDS) as reply:
        content: bytes = reply.read()
    return content


def _same_answers(pids: Mapping[str, tuple[int, str]], bodies: Mapping[int, Path]) -> None:
    for body in bodies.values():
        if len({_answer(address, body) for _, address in pids.values()}) != 1:
            raise RuntimeError(f"the servers answer {body.name} differently")


def _rounds(
    folder: Path, pids: Mapping[str, tuple[int, str]], body: Path, connections: int, rounds: int, seconds: int
) -> list[dict[str, Figures]]:
    for _, address in pids.values():
        post(folder, address, body, connections, WARM_SECONDS)
    found = []
    for i in range(rounds):
        order = [SERVERS[(i + k) % len(SERVERS)] for k in range(len(SERVERS))]
        found.append({name: _once(folder, *pids[name], body, connections, seconds) for name in order})
    return found


def _once(folder: Path, pid: int, address: str, body: Path, connections: int, seconds: int) -> Figures:
    before = _cpu(pid)
    load = post(folder, address, body, connections, seconds)
    return Figures(*load, (_cpu(pid) - before) / (load.rate * seconds) * 1e6)


def _cpu(pid: int) -> float:
    """Seconds of the process and of all below it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(fields[11]) + int(fields[12])) / TICK + sum(_cpu(int(child)) for child in children)


def _summary(rows: int, connections: int, rounds: Sequence[Mapping[str, Figures]]) -> dict[str, Any]:
    return {
        "rows": rows,
        "connections": connections,
        **{f"requests/s, {name}": round(median(each[name].rate for each in rounds)) for name in SERVERS},
        **{f"ours to {name} (least to most)": _ratio(rounds, name) for name in SERVERS[1:]},
        **{f"p50 p99, ms, {name}": _latencies([each[name] for each in rounds]) for name in SERVERS},
        **{f"CPU, µs, {name}": round(median(each[name].cpu for each in rounds)) for name in SERVERS},
    }


def _ratio(rounds: Sequence[Mapping[str, Figures]], name: str) -> str:
    ratios = sorted(each["ours"].rate / each[name].rate for each in rounds)
    return f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def _latencies(figures: Sequence[Figures]) -> str:
    return f"{median(f.p50 for f in figures):.2f} {median(f.p99 for f in figures):.2f}"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.folder or Path(scratch)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        rows = measure(folder, options.rounds, options.seconds)
    show("transport", rows, options.json)


if __name__ == "__main__":
    main()
