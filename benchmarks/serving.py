"""One model behind several servers: requests a second, latency, time to the first answer, memory, size.

`python -m benchmarks.serving [--write] [--json] [--rounds 3] [--seconds 5] [--folder FOLDER]`: one row of 30 numbers as
JSON, 1 and 16 connections kept open, by wrk with one thread, one worker each; validation and metrics of ours are on.
Servers take turns, so that what else the machine does meets all of them; each figure is the median over the rounds.
`--folder` keeps the peers' environments (1 GB) for the next time; `--write` puts the table into docs/serving.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from mlpack_toolkit.packager.environments.system import machine

from ._load import free_port, post
from ._process import ROOT
from ._servers import Server, environment_of, installed, servers, set_up
from ._show import show, table

PAGE = ROOT / "docs" / "serving.md"
BEGIN, END = "<!-- python -m benchmarks.serving --write: begin -->\n", "<!-- end -->\n"
START_SECONDS = 90
WARM_SECONDS = 1
RATES = ("requests/s, 1 connection", "requests/s, 16 connections")
COSTS = ("first answer, s", "memory, MB", "image, MB")


def measure(folder: Path, rounds: int, seconds: int) -> list[dict[str, Any]]:
    """A row per server, ours first."""
    set_up(folder)
    row = np.load(folder / "rows.npy")[0].tolist()
    label = np.load(folder / "answer.npz")["label"][0]
    found: dict[str, list[dict[str, float]]] = {server.name: [] for server in servers()}
    for _ in range(rounds):
        for server in servers():
            found[server.name].append(_once(folder, server, row, label, seconds))
    sizes = _sizes(folder)
    return [_summary(server, found[server.name], sizes[server.name]) for server in servers()]


def _once(folder: Path, server: Server, row: list[float], label: Any, seconds: int) -> dict[str, float]:
    body = folder / "body.json"
    body.write_text(json.dumps(server.body(row)))
    port = free_port()
    server.prepare(folder, port)
    begun = time.perf_counter()
    with _started(folder, server, port) as (process, address):
        _await_answer(process, address, body.read_bytes(), server, label)
        first = time.perf_counter() - begun
        post(folder, address, body, 1, WARM_SECONDS)
        figures = {"first": first}
        for connections in (1, 16):
            rate, p50, p99 = post(folder, address, body, connections, seconds)
            figures |= {f"rate {connections}": rate, f"p50 {connections}": p50, f"p99 {connections}": p99}
        return {**figures, "memory": _memory(process.pid)}


@contextmanager
def _started(folder: Path, server: Server, port: int) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            server.command(folder, port),
            cwd=folder,
            env=environment_of(folder, server),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process, f"http://127.0.0.1:{port}{server.path}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await_answer(process: subprocess.Popen[bytes], address: str, body: bytes, server: Server, label: Any) -> None:
    """Until the right answer comes; RuntimeError where it is wrong, or none comes."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=START_SECONDS) as response:
                answer = json.load(response)
        except OSError:
            time.sleep(0.005)
            continue
        if server.read(answer) != label:
            raise RuntimeError(f"{server.name} answers {answer}, and the model says {label}")
        return
    raise RuntimeError(f"{server.name} does not answer")


def _memory(pid: int) -> float:
    """MB of the process and of all below it; what several of them share counts once."""
    try:
        own = Path(f"/proc/{pid}/smaps_rollup").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    found = re.search(r"^Pss:\s+(\d+)", own, re.MULTILINE)
    return (int(found[1]) / 1000 if found else 0.0) + sum(_memory(int(child)) for child in children)


def _summary(server: Server, rounds: Sequence[Mapping[str, float]], size: float) -> dict[str, Any]:
    middle = {name: median(each[name] for each in rounds) for name in rounds[0]}
    return {
        "server": server.name,
        "requests/s, 1 connection": round(middle["rate 1"]),
        "p50 and p99, ms": f"{middle['p50 1']:.2f} {middle['p99 1']:.2f}",
        "requests/s, 16 connections": round(middle["rate 16"]),
        "p50 and p99, ms ": f"{middle['p50 16']:.2f} {middle['p99 16']:.2f}",
        "first answer, s": round(middle["first"], 2),
        "memory, MB": round(middle["memory"]),
        "image, MB": round(size),
    }


def _sizes(folder: Path) -> dict[str, float]:
    """MB of each server's image: of ours as it is; of a peer's the same Python of Debian and what the peer installs."""
    python = json.loads((folder / "oci.json").read_text())["layers"][0]["bytes"]
    sizes = {}
    for server in servers():
        own = folder / f"{server.image}.json"
        size = json.loads(own.read_text())["unpacked"] if server.image else python + installed(folder, server)
        sizes[server.name] = size / 1e6
    return sizes


def _ratios(rows: Sequence[Mapping[str, Any]]) -> str:
    """How ours compares with the best of the peers in each figure."""
    peers = [row for row in rows if not row["server"].startswith("mlpack")]
    said = []
    for ours in (row for row in rows if row not in peers):
        more = [ours[c] / max(peer[c] for peer in peers) for c in RATES]
        less = [min(peer[c] for peer in peers) / ours[c] for c in COSTS]
        said.append(
            f"{ours['server']}: {more[0]:.1f} times the requests of the best peer at 1 connection, "
            f"{more[1]:.1f} times at 16; the first answer comes in 1/{less[0]:.1f} of the fastest peer's time, "
            f"with 1/{less[1]:.1f} of the smallest peer's memory, from 1/{less[2]:.1f} of its image."
        )
    return "\n".join(said)


def _write(rows: Sequence[Mapping[str, Any]], rounds: int, seconds: int) -> None:
    facts = machine()
    where = (
        f"{facts['cpu']}, {facts['cores_usable']} cores, {facts['kernel']}; median of {rounds} rounds of {seconds} s."
    )
    head, rest = PAGE.read_text("utf-8").split(BEGIN)
    block = f"{table(rows)}\n{_ratios(rows)}\n{where}\n"
    PAGE.write_text(head + BEGIN + block + END + rest.split(END, 1)[1], "utf-8")


def main() -> None:
    """Prints the table, or writes it into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (given.folder or Path(scratch)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        rows = measure(folder, given.rounds, given.seconds)
    show("serving", rows, given.json)
    if not given.json:
        print(f"\n{_ratios(rows)}")
    if given.write:
        _write(rows, given.rounds, given.seconds)


if __name__ == "__main__":
    main()
