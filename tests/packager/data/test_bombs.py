"""Small files that expand without end are refused with a sentence, and before they expand."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mlpack_toolkit.packager.data import bombs
from mlpack_toolkit.packager.data.readers import read_example
from mlpack_toolkit.packager.environments.python.rebuild import _is_there
from mlpack_toolkit.packager.environments.python.wheels import record_of
from mlpack_toolkit.packager.environments.r import sources
from mlpack_toolkit.packager.errors import DamagedError, EnvironmentFault, UsageError
from mlpack_toolkit.packager.images._site_packages import unzip

ZEROS = 300 << 20


def test_an_npz_of_zeros(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", X=np.zeros((ZEROS // 32, 4)))
    assert (tmp_path / "bomb.npz").stat().st_size < ZEROS / 500
    monkeypatch.setattr(bombs, "MOST_BYTES", ZEROS // 2)
    with pytest.raises(UsageError, match=r"bomb\.npz has .* bytes and expands to .*: give fewer rows at a time"):
        read_example(tmp_path / "bomb.npz")


def test_an_npz_whose_header_says_more_than_it_holds(tmp_path: Path) -> None:
    raw = io.BytesIO()
    np.lib.format.write_array_header_1_0(raw, {"descr": "<f8", "fortran_order": False, "shape": (2**44, 4)})
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive:
        archive.writestr("X.npy", raw.getvalue() + b"\0" * 64)
    with pytest.raises(UsageError, match=r"bomb\.npz cannot be read"):
        read_example(tmp_path / "bomb.npz")


def test_an_npy_of_holes(tmp_path: Path) -> None:
    with (tmp_path / "bomb.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (2**38, 4)})
        file.truncate(file.tell() + 2**42)
    with pytest.raises(UsageError, match=r"bomb\.npy has .* bytes and expands to"):
        read_example(tmp_path / "bomb.npy")


def test_a_parquet_of_one_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"x": np.zeros(1 << 22)}), tmp_path / "bomb.parquet")
    assert (tmp_path / "bomb.parquet").stat().st_size < 50_000
    monkeypatch.setattr(bombs, "MOST_BYTES", 1 << 24)
    with pytest.raises(UsageError, match=r"bomb\.parquet has .* bytes and expands to"):
        read_example(tmp_path / "bomb.parquet")


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    place = tmp_path / "wheels" / "bomb-1.0-py3-none-any.whl"
    place.parent.mkdir()
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.py", b"\0" * ZEROS)
        archive.writestr("bomb-1.0.dist-info/RECORD", b"\0" * (65 << 20))
    return place


def test_a_wheel_of_zeros(wheel: Path, tmp_path: Path) -> None:
    import hashlib

    locked = {"path": f"wheels/{wheel.name}", "hashes": {"sha256": hashlib.sha256(wheel.read_bytes()).hexdigest()}}
    with pytest.raises(DamagedError, match="unpacks to far more than a wheel does: it is not installed"):
        _is_there(tmp_path, locked)
    with pytest.raises(DamagedError, match="unpacks to far more"):
        unzip(wheel, tmp_path / "site")
    with pytest.raises(ValueError, match="RECORD has more than"):
        record_of(wheel)
    assert not (tmp_path / "site").exists()


def test_a_source_of_r_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Zeros(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return b"\0" * size

    place = tmp_path / "bomb_1.0.tar.gz"
    with tarfile.open(place, "w:gz", compresslevel=1) as archive:
        member = tarfile.TarInfo("bomb/data")
        member.size = 64 << 20
        archive.addfile(member, Zeros())
        last = tarfile.TarInfo("bomb/DESCRIPTION")
        last.size = 0
        archive.addfile(last)
    monkeypatch.setattr(bombs, "MOST_UNPACKED", 1 << 20)
    with pytest.raises(EnvironmentFault, match="unpacks to more than"):
        sources._check(place, "bomb", "1.0")
