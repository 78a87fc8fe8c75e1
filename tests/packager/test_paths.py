"""Where things are kept, and where they cannot be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlpack_toolkit.packager import images
from mlpack_toolkit.packager.environments.python.uv import uv
from mlpack_toolkit.packager.errors import UsageError
from mlpack_toolkit.packager.paths import check_name, check_writable, kept, passing, program


def test_the_users_own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kept() == tmp_path / "mlpack" and kept().is_dir() and not passing()


def test_where_nothing_can_be_written_a_folder_for_now(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    assert passing() and kept().is_dir() and kept() == kept()
    assert uv("cache", "dir").stdout.strip() == str(kept() / "uv")


def test_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert program("env/bin/python") == str(tmp_path / "env" / "bin" / "python")
    assert program("python3") == "python3"


@pytest.mark.parametrize("place", ["/proc/x", "/proc/new/x", "/sys/x.tar"])
def test_what_takes_no_folders_is_said_so(place: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be written: /(proc|sys) is not a folder that you may write to"):
        check_writable(Path(place))
    with pytest.raises(UsageError, match="cannot be written"):
        images._check_place(Path(place))


def test_what_takes_them_is_left_as_it_was(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "deeper" / "a-1")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["modèle.joblib", "日本 😀.pkl"])
def test_a_name_in_utf_8(name: str) -> None:
    check_name(Path(name))


def test_a_name_that_is_none() -> None:
    with pytest.raises(UsageError, match=r"the name mod\\udce8le is not UTF-8"):
        check_name(Path(os.fsdecode(b"mod\xe8le")))
