"""What parts of a model answer, kept within bounds: all answers of a large network need more memory than it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MOST_CALLS = 8
"""Calls of one part whose answers are kept: a part in a loop is called for every step."""


class Gathered:
    """Arrays under the path of their part and a number, of at most `each` bytes, `total` in all.

    `left_out`: the parts with an answer that was not kept.
    """

    def __init__(self, paths: Sequence[str], each: int, total: int) -> None:
        self.paths = tuple(paths)
        self.arrays: dict[str, np.ndarray[Any, Any]] = {}
        self.left_out: dict[str, None] = {}
        self._each, self._room = each, total
        self._count = dict.fromkeys(self.paths, 0)

    def add(self, path: str, size: int, read: Callable[[], np.ndarray[Any, Any]]) -> None:
        """Keeps a copy of an answer; `read` is not called for one of more bytes than there is room for."""
        if self._count[path] >= MOST_CALLS:
            return
        if size > min(self._each, self._room):
            self.left_out[path] = None
            return
        self._room -= size
        self.arrays[f"{path} {self._count[path]}"] = read().copy()
        self._count[path] += 1
