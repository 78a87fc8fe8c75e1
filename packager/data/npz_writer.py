"""An npz written piece by piece: memory holds one piece, however many there are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy

from mlpack_toolkit.converters.spec import Axes, Table

from ..errors import UsageError

Array = np.ndarray[Any, Any]


class NpzWriter:
    """Writes what `np.savez` writes of the pieces put together along the batch axis of each array.

    The head of an array says its shape, which is known at the end only: until then the pieces wait in a file without a
    name in `scratch`. `axes`: the batch axis of each array, the first one if not given; of an array without one, the
    first piece is all.
    """

    def __init__(self, file: IO[bytes], scratch: Path, axes: Axes | None = None) -> None:
        self._file, self._axes = file, axes
        self._waiting: IO[bytes] = TemporaryFile(dir=scratch)  # noqa: SIM115 - closed with the writer
        self._pieces: dict[str, list[_Piece]] = {}

    def write(self, arrays: Table) -> None:
        """Adds a piece to each array."""
        for name, values in arrays.items():
            pieces = self._pieces.setdefault(name, [])
            if not pieces or self._axis(name) is not None:
                plain = np.asarray(_text(values) if values.dtype.kind == "O" else values, order="C")
                pieces.append(_Piece(self._waiting.tell(), plain.dtype, plain.shape))
                self._waiting.write(plain.tobytes())

    def close(self) -> None:
        """Writes the file; `UsageError` where the pieces of an array do not fit each other."""
        with self._waiting, ZipFile(self._file, "w") as archive:
            self._waiting.flush()
            for name, pieces in self._pieces.items():
                with archive.open(ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                    self._write_array(name, pieces, member)

    def _axis(self, name: str) -> int | None:
        return 0 if self._axes is None else self._axes.get(name)

    def _write_array(self, name: str, pieces: list[_Piece], member: IO[bytes]) -> None:
        axis, dtype = self._axis(name) or 0, np.result_type(*(piece.dtype for piece in pieces))
        shape = _shape(name, pieces, axis)
        head = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(member, head)
        before = math.prod(shape[:axis])
        for i in range(before):
            for piece in pieces:
                if math.prod(piece.shape):
                    member.write(piece.read(self._waiting).reshape(before, -1)[i].astype(dtype, copy=False).tobytes())


@dataclass(frozen=True)
class _Piece:
    """Where a part of an array waits."""

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def read(self, file: IO[bytes]) -> Array:
        """The part, its pages read as they are needed."""
        return np.memmap(file, self.dtype, "readonly", self.offset, self.shape)


def _shape(name: str, pieces: list[_Piece], axis: int) -> tuple[int, ...]:
    """The shape of all pieces together."""
    first = pieces[0].shape
    for piece in pieces[1:]:
        if piece.shape[:axis] + piece.shape[axis + 1 :] != first[:axis] + first[axis + 1 :]:
            raise UsageError(
                f"the answers {name!r} have the shape {list(first)} for some rows and {list(piece.shape)} for others, "
                "and an npz holds whole arrays: give rows for which they are alike in a file of their own"
            )
    return first if not first else (*first[:axis], sum(piece.shape[axis] for piece in pieces), *first[axis + 1 :])


def _text(cells: Array) -> Array:
    """Text as an npz holds it, which knows no null: empty."""
    return np.array(["" if cell is None else cell for cell in cells.ravel()], str).reshape(cells.shape)
