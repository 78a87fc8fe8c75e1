"""Reads and writes tables as uncompressed npz without pickles, text as UTF-8 and offsets, for both interpreters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .spec import Axes, Table

if TYPE_CHECKING:
    import numpy as np


def write_table(table: Table, path: Path) -> None:
    """Writes `table` to `path`."""
    import numpy as np

    parts: dict[str, Any] = {"names": np.frombuffer(json.dumps(list(table)).encode(), np.uint8)}
    for i, column in enumerate(table.values()):
        parts.update(_text_parts(i, column) if column.dtype.kind in "OU" else {f"{i}.v": column})
    with path.open("wb") as file:
        np.savez(file, **parts)


def _text_parts(i: int, column: np.ndarray[Any, Any]) -> dict[str, Any]:
    import numpy as np

    cells = ["" if c is None else str(c) for c in column.ravel()]
    encoded = [c.encode("utf-8", "surrogatepass") for c in cells]
    return {
        f"{i}.b": np.frombuffer(b"".join(encoded), np.uint8),
        f"{i}.o": np.cumsum([0, *map(len, encoded)], dtype=np.int64),
        f"{i}.m": np.array([c is None for c in column.ravel()], bool),
        f"{i}.s": np.array(column.shape, np.int64),
    }


def read_table(path: Path) -> Table:
    """Reads the table that `write_table` wrote."""
    import numpy as np

    with np.load(path, allow_pickle=False) as parts:
        names = json.loads(parts["names"].tobytes())
        return {name: _column(parts, i) for i, name in enumerate(names)}


def _column(parts: Any, i: int) -> np.ndarray[Any, Any]:
    import numpy as np

    if f"{i}.v" in parts:
        return np.asarray(parts[f"{i}.v"])
    blob, ends, missing = parts[f"{i}.b"].tobytes(), parts[f"{i}.o"].tolist(), parts[f"{i}.m"].tolist()
    column = np.empty(len(missing), object)
    for k, gone in enumerate(missing):
        column[k] = None if gone else blob[ends[k] : ends[k + 1]].decode("utf-8", "surrogatepass")
    return column.reshape(parts[f"{i}.s"])


def rows_of(table: Table, axes: Axes | None = None) -> int:
    """Returns the number of rows; of tensors with `axes`, 1 where none of them has a batch axis."""
    if axes is None:
        return len(next(iter(table.values()))) if table else 0
    return next((v.shape[a] for name, v in table.items() for a in [axes.get(name)] if a is not None), 1)


def take(table: Table, rows: Any, axes: Axes | None = None) -> Table:
    """Returns the table's rows at the given positions (or of the given slice), along each tensor's own axis."""
    if axes is None:
        return {name: column[rows] for name, column in table.items()}
    return {name: _along(values, rows, axes.get(name)) for name, values in table.items()}


def _along(values: np.ndarray[Any, Any], rows: Any, axis: int | None) -> np.ndarray[Any, Any]:
    return values if axis is None else values[(slice(None),) * axis + (rows,)]


def stack(tables: list[Table], axes: Axes | None = None) -> Table:
    """Concatenates tables with the same columns, along each tensor's own axis."""
    import numpy as np

    along = {name: 0 if axes is None else axes.get(name) for name in tables[0]}
    whole = {name: [t[name] for t in tables] for name in tables[0]}
    return {name: parts[0] if (a := along[name]) is None else np.concatenate(parts, a) for name, parts in whole.items()}
