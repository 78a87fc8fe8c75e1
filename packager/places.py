"""Where mlpack keeps what it may need again, and how a program is named that any folder can start."""

from __future__ import annotations

import os
from pathlib import Path


def kept() -> Path:
    """The folder of answers and files that never change; it may be deleted at any time."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlpack"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def program(name: str) -> str:
    """A path made absolute; a bare name stays, to be looked up."""
    return os.path.abspath(name) if os.sep in name else name
