"""An error that nobody foresaw: one sentence that asks for a report, and the traceback in a file."""

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
    """What is said of the error, as the object that `--json` prints under `error`."""
    text = "".join(traceback.format_exception(error))
    if os.environ.get(SHOW, "0") not in ("", "0"):
        sys.stderr.write(text)
    words = " ".join(str(error).split())[:MOST]
    what = f"{type(error).__name__}: {words}" if words else type(error).__name__
    place = _written(text)
    how = f"with the file {place}, which holds the traceback" if place else f"with what {SHOW}=1 shows"
    message = f"mlpack met a fault of its own ({what}): please report it, {how} (CONTRIBUTING.md says where)"
    return {"exit": 1, "kind": "InternalError", "message": message, **({"traceback": place} if place else {})}


def _written(text: str) -> str:
    """The path of a new file that holds the traceback; empty where none can be written."""
    head = f"mlpack {__version__}, Python {sys.version}\n{' '.join(sys.argv)}\n\n"
    try:
        descriptor, path = tempfile.mkstemp(prefix="mlpack-error-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(head + text)
    except OSError:
        return ""
    return path
