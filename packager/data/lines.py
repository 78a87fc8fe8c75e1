"""Files of one text a line: plain ones, and JSON in lines."""

from __future__ import annotations

import json
from pathlib import Path

from mlpack_toolkit.converters.spec import Table

from ..errors import UsageError

LINES = (".jsonl", ".txt")
COLUMN = "text"


def read_lines(file: Path) -> Table:
    """The texts as one column; lines of JSON are texts, or objects with one called `text`. Raises `UsageError`."""
    import numpy as np

    return {COLUMN: np.array(_texts(file), object)}


def _texts(file: Path) -> list[str]:
    try:
        lines = file.read_text("utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise UsageError(f"{file.name} cannot be read as UTF-8: {error}") from error
    lines = lines[:-1] if lines and not lines[-1] else lines
    return lines if file.suffix.lower() == ".txt" else [_of_json(file, i, line) for i, line in enumerate(lines)]


def _of_json(file: Path, place: int, line: str) -> str:
    try:
        plain = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file.name}: line {place + 1} is not JSON: {error}") from error
    found = plain.get(COLUMN) if isinstance(plain, dict) else plain
    if not isinstance(found, str):
        raise UsageError(f'{file.name}: line {place + 1} must be a text, or an object {{"{COLUMN}": "…"}}')
    return found
