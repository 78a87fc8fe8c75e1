"""Reports an unexpected error: one sentence that asks for a bug report, and the traceback in a file."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from typing import Any

from . import __version__

SHOW = "MLPACK_TRACEBACK"
MOST = 300


def told(error: Exception) -> dict[str, Any]:
    """The error as the object that `--json` prints under `error`."""
    text = "".join(traceback.format_exception(error))
    if os.environ.get(SHOW, "0") not in ("", "0"):
        sys.stderr.write(text)
    words = " ".join(str(error).split())[:MOST]
    what = f"{type(error).__name__}: {words}" if words else type(error).__name__
    place = _written(text)
    how = f"with the file {place}, which contains the traceback" if place else f"with the output of {SHOW}=1"
    message = f"mlpack failed because of a bug ({what}): please report it as CONTRIBUTING.md describes, {how}"
    return {"exit": 1, "kind": "InternalError", "message": message, **({"traceback": place} if place else {})}


def _written(text: str) -> str:
    """Writes the traceback to a new file and returns its path; empty where none can be written."""
    head = f"mlpack {__version__}, Python {sys.version}\n{' '.join(sys.argv)}\n\n"
    try:
        descriptor, path = tempfile.mkstemp(prefix="mlpack-error-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(head + text)
    except OSError:
        return ""
    return path
