"""The distinct rows of a table, such as the class shares at the leaves of a forest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def distinct_rows(rows: Array) -> tuple[Array, Array]:
    """Returns the distinct rows in order of appearance, and the index of each row among them.

    Uses a hash of the bytes, then checks it against the rows: sorting a million rows is too slow.
    """
    import numpy as np

    bits = np.ascontiguousarray(rows, np.float64).view(np.uint64)
    odd = np.random.RandomState(0).randint(1, 2**62, bits.shape[1], np.int64).astype(np.uint64) * np.uint64(2)
    mixed = ((bits ^ (bits >> np.uint64(29))) * (odd + np.uint64(1))).sum(axis=1)
    _, first, which = np.unique(mixed, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    found, place = rows[first[order]], place[which.ravel()]
    if np.array_equal(found[place], rows):
        return found, place
    found, place = np.unique(rows, axis=0, return_inverse=True)
    return found, place.ravel()
