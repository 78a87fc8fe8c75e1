"""An npz that is written piece by piece holds what numpy writes of the whole, in bounded memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.packager.data.npz_writer import NpzWriter
from mlpack_toolkit.packager.errors import UsageError

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)


def written(path: Path, pieces: list[dict[str, Array]], axes: dict[str, int | None] | None = None) -> dict[str, Array]:
    with path.open("wb") as file:
        writer = NpzWriter(file, path.parent, axes)
        for piece in pieces:
            writer.write(piece)
        writer.close()
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_pieces_are_put_together_along_any_axis(axis: int, tmp_path: Path) -> None:
    whole = RNG.random((5, 7, 4)).astype(np.float32)
    pieces = [{"y": piece} for piece in np.split(whole, [1, 1, 3], axis)]  # one of them empty
    found = written(tmp_path / "out.npz", pieces, {"y": axis})["y"]
    assert found.dtype == whole.dtype and np.array_equal(found, whole)


def test_arrays_of_every_kind(tmp_path: Path) -> None:
    first = {
        "f2": np.array([1, 2], np.float16),
        "flag": np.array([True, False]),
        "text": np.array(["a", None], object),
        "scalar": np.array(3.5),
        "complex": np.array([1j, 2]),
        "transposed": np.arange(6).reshape(3, 2).T,
    }
    second = {
        "f2": np.array([3], np.float16),
        "flag": np.array([True]),
        "text": np.array(["longer 😀"], object),
        "scalar": np.array(9.0),
        "complex": np.array([3j]),
        "transposed": np.array([[7, 8, 9]]),
    }
    axes = {name: None if name == "scalar" else 0 for name in first}
    found = written(tmp_path / "out.npz", [first, second], axes)
    assert found["text"].tolist() == ["a", "", "longer 😀"] and found["scalar"] == 3.5
    for name in ("f2", "flag", "complex", "transposed"):
        assert np.array_equal(found[name], np.concatenate([first[name], second[name]])), name
        assert found[name].dtype == first[name].dtype


def test_the_same_pieces_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        written(tmp_path / name / "out.npz", [{"y": np.arange(3)}, {"y": np.arange(2)}])
    assert (tmp_path / "a" / "out.npz").read_bytes() == (tmp_path / "b" / "out.npz").read_bytes()


def test_pieces_that_fit_no_array_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'y' have the shape \[2, 3\] for some rows and \[2, 4\] for others"):
        written(tmp_path / "out.npz", [{"y": np.zeros((2, 3))}, {"y": np.zeros((2, 4))}])


@pytest.mark.parametrize("axis", [0, 1])
def test_memory_is_that_of_a_piece(axis: int, tmp_path: Path) -> None:
    """100 MB in pieces of 5 MB."""
    piece = RNG.random((4, 1 << 17) if axis else (1 << 19, 1))
    tracemalloc.start()
    try:
        with (tmp_path / "out.npz").open("wb") as file:
            writer = NpzWriter(file, tmp_path, {"y": axis})
            for _ in range(25):
                writer.write({"y": piece})
            writer.close()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * piece.nbytes
    found = np.load(tmp_path / "out.npz")["y"]
    assert found.nbytes == 25 * piece.nbytes and np.array_equal(np.split(found, 25, axis)[24], piece)
