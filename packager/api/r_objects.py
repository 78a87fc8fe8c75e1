"""Writes the R objects that rpy2 holds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def r_file(value: Any, place: Path) -> Path:
    """The file of the object in `saveRDS`'s form, written by rpy2's R."""
    interface = sys.modules["rpy2.rinterface"]
    path = place.with_suffix(".rds")
    interface.baseenv["saveRDS"](value, interface.StrSexpVector([str(path)]))
    return path
