"""Reads Universal Binary JSON as xgboost writes it, with typed arrays as numpy arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_NUMBERS = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
_CONSTANTS = {"T": True, "F": False, "Z": None}


def parse(data: bytes) -> Any:
    """Returns the value in `data`: dicts, lists, text, numbers, and arrays where the elements share a type."""
    return _Reader(data).value()


@dataclass
class _Reader:
    data: bytes
    at: int = 0

    def value(self) -> Any:
        return self._of(self._mark())

    def _of(self, mark: str) -> Any:
        if mark in _NUMBERS:
            return self._numbers(mark, 1)[0].item()
        if mark in _CONSTANTS:
            return _CONSTANTS[mark]
        if mark == "S":
            return self._text()
        if mark == "C":
            return self._take(1).decode()
        if mark == "[":
            return self._array()
        if mark == "{":
            return self._object()
        raise ValueError(f"unexpected marker {mark!r} at byte {self.at - 1}")

    def _take(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]

    def _mark(self) -> str:
        mark = chr(self.data[self.at])
        self.at += 1
        return self._mark() if mark == "N" else mark

    def _text(self) -> str:
        return self._take(int(self.value())).decode("utf-8")

    def _numbers(self, mark: str, count: int) -> Any:
        import numpy as np

        dtype = np.dtype(_NUMBERS[mark])
        found = np.frombuffer(self.data, dtype, count, self.at)
        self.at += count * dtype.itemsize
        return found.astype(dtype.newbyteorder("="))

    def _array(self) -> Any:
        kind, count = self._container()
        if kind in _NUMBERS:
            return self._numbers(kind, count)
        if count >= 0:
            return [self._of(kind) if kind else self.value() for _ in range(count)]
        found = []
        while (mark := self._mark()) != "]":
            found.append(self._of(mark))
        return found

    def _object(self) -> dict[str, Any]:
        kind, count = self._container()
        found: dict[str, Any] = {}
        while len(found) != count:
            mark = self._mark() if count < 0 else ""
            if mark == "}":
                break
            key = self._take(int(self._of(mark))).decode() if mark else self._text()
            found[key] = self._of(kind) if kind else self.value()
        return found

    def _container(self) -> tuple[str, int]:
        """Returns the elements' common marker (empty: none) and their number (-1: up to the closing marker)."""
        kind, count = "", -1
        if self.data[self.at : self.at + 1] == b"$":
            self.at += 1
            kind = self._mark()
        if self.data[self.at : self.at + 1] == b"#":
            self.at += 1
            count = int(self.value())
        return kind, count
