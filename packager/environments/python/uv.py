"""Runs uv, which creates environments and queries the package index."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ...errors import MissingToolError
from ...paths import kept, passing

SECONDS = 1800.0


def uv(*arguments: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs uv; the result has `returncode`, `stdout` and `stderr`. It downloads no interpreter and reads no project."""
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    if passing():
        environment.setdefault("UV_CACHE_DIR", str(kept() / "uv"))
    command = [find_uv(), *map(str, arguments), "--system-certs", "--no-config"]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=SECONDS, env=environment)


def find_uv() -> str:
    """The program that was installed with mlpack."""
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        raise MissingToolError("uv is not installed: pip install uv") from None


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """The end of its error output, in one line."""
    lines = [line.strip(" ×╰─▶├│") for line in done.stderr.splitlines() if line.strip()]
    return " ".join(lines[-6:])[-600:]


def listed(lines: Sequence[str]) -> str:
    """The text of a requirements file."""
    return "".join(f"{line}\n" for line in lines)
