"""Finds out whether a model takes sparse matrices, and whether a stored 0 differs from an absent cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..spec import Description, Table, Unsupported

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

NO_SPARSE = "the model takes no sparse matrix: it was given dense rows"
NO_CELL = (
    "the model is given sparse matrices, as the example is one: a 0 in a request is an absent cell of the matrix, and "
    "the model treats it differently from a stored 0 (xgboost: as a missing cell)"
)
SAME = "the model is given sparse matrices, as the example is one; it treats a stored 0 and an absent cell alike"
RTOL = 1e-6
"""Answers this close are equal: sparse and dense products add in another order."""

Predict = Callable[[Any], Table]
"""The original's answers to an input: here a sparse matrix."""


def as_sparse(
    description: Description, matrix: Array, stored: Array, takes: bool, predict: Predict
) -> tuple[Description, str]:
    """The description of a model whose example is a sparse matrix, and a note on it for the report.

    `stored` `[K, 2]`: the positions where the example's file stores a 0. `takes`: it takes a sparse matrix though it
    knows its columns' names. Raises `Unsupported` where those zeros change the answer.
    """
    import numpy as np
    from scipy.sparse import csr_matrix

    if description.inputs or description.columnar or description.document or (description.named and not takes):
        return description, NO_SPARSE
    try:
        plain = predict(csr_matrix(matrix))
    except Exception:  # any exception of the original: it was not fitted on such a matrix
        return description, NO_SPARSE
    if len(stored) and _differ(plain, predict(_with_zeros(matrix, stored))):
        raise Unsupported(
            f"the example's sparse matrix stores {len(stored)} zeros, and the model treats a stored 0 and a cell "
            "that is left out differently, which a request cannot do: call eliminate_zeros() on the matrices "
            "before fit and predict"
        )
    zeros = np.argwhere(matrix == 0)
    some = zeros[np.random.default_rng(0).random(len(zeros)) < 0.5]
    apart = any(len(z) and _differ(plain, predict(_with_zeros(matrix, z))) for z in (zeros, some))
    return replace(description, sparse=True, absent=apart), NO_CELL if apart else SAME


def _with_zeros(matrix: Array, places: Array) -> Any:
    """The sparse matrix with a 0 stored at those positions."""
    import numpy as np
    from scipy.sparse import csr_matrix

    held = matrix != 0
    held[places[:, 0], places[:, 1]] = True
    rows, columns = np.nonzero(held)
    return csr_matrix((matrix[rows, columns], (rows, columns)), shape=matrix.shape)


def _differ(first: Table, second: Table) -> bool:
    return any(not _same(values, second[name]) for name, values in first.items())


def _same(first: Array, second: Array) -> bool:
    import numpy as np

    if first.dtype.kind != "f":
        return bool(np.array_equal(first, second))
    return first.shape == second.shape and bool(np.allclose(first, second, rtol=RTOL, atol=RTOL, equal_nan=True))
