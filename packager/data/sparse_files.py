"""Reads the files of `scipy.sparse.save_npz`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError

SPARSE = {"format", "shape", "data"}
"""The arrays in every file of `scipy.sparse.save_npz`."""
MOST_CELLS = 2**28
"""The most cells of a sparse example, which is dense in memory: 2 GiB."""


def stored_zeros(path: Path) -> list[list[int]] | None:
    """The positions where the file of a sparse matrix stores a 0; None for other files."""
    with np.load(path, allow_pickle=False) as arrays:
        if not set(arrays.files) >= SPARSE:
            return None
    from scipy.sparse import load_npz

    matrix = load_npz(path).tocoo()
    matrix.sum_duplicates()
    zero = matrix.data == 0
    return [[int(row), int(column)] for row, column in zip(matrix.row[zero], matrix.col[zero], strict=True)]


def dense(path: Path, shape: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The matrix of a file that `scipy.sparse.save_npz` wrote."""
    from scipy.sparse import load_npz

    if np.prod(shape.astype(float)) > MOST_CELLS:
        raise UsageError(f"{path.name} holds {shape[0]} x {shape[1]} cells, too many for an example: give fewer rows")
    matrix = load_npz(path)
    if hasattr(matrix, "check_format"):
        matrix.check_format(full_check=True)  # toarray() does not check indices
    return np.asarray(matrix.toarray())
