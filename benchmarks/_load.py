"""The load client: wrk with one thread, which posts one body over connections that stay open."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
from pathlib import Path
from typing import NamedTuple

UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open(os.getenv("BODY"))
wrk.body = file:read("*a")
file:close()
"""


class Load(NamedTuple):
    """Requests a second, and the median and the 99th percentile of the latency in ms."""

    rate: float
    p50: float
    p99: float


def post(folder: Path, address: str, body: Path, connections: int, seconds: int) -> Load:
    """What wrk measures; raises RuntimeError where an answer is not 2xx. Writes its script into `folder`."""
    script = folder / "post.lua"
    script.write_text(SCRIPT)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), address]
    done = subprocess.run(command, env={**os.environ, "BODY": str(body)}, capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(f"{address} fails under load:\n{done.stdout}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    p50, p99 = (re.search(rf"{p}%\s+([\d.]+)(us|ms|s)", done.stdout) for p in (50, 99))
    if not (rate and p50 and p99):
        raise RuntimeError(f"wrk prints:\n{done.stdout}{done.stderr}")
    return Load(float(rate[1]), float(p50[1]) * UNITS[p50[2]], float(p99[1]) * UNITS[p99[2]])


def free_port() -> int:
    """The first of three in a row, as some servers want more than one."""
    for first in range(18080, 65000, 7):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for port in range(first, first + 3):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
    raise RuntimeError("no three ports in a row are free")
