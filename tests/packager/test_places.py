"""Where things are kept, and where they cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from packager.environments._uv import uv
from packager.places import kept, passing, program


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
