"""`--overwrite`: the new bundle takes the old one's place when it is whole; nothing but a bundle is ever replaced."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.bundle import replacing
from mlpack_toolkit.packager.bundle.reader import check_files, open_bundle
from mlpack_toolkit.packager.bundle.writer import write_bundle
from mlpack_toolkit.packager.errors import UsageError
from tests.packager.bundle.facts import FACTS
from tests.packager.conftest import Made

Run = Callable[..., tuple[int, dict[str, Any], str]]
CLOCKED: dict[str, bytes | Path] = {"measurements/latency.json": b"[]"}


def write(place: Path, content: bytes, **options: Any) -> str:
    files: dict[str, bytes | Path] = {"model/source/a.onnx": content, "model/model.onnx": content}
    return write_bundle(place, FACTS, files, CLOCKED, **options).identity


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write(tmp_path / "a-1", b"old")
    return tmp_path / "a-1"


def holds(place: Path, content: bytes) -> bool:
    """It is whole, holds that model, and nothing lies beside it."""
    check_files(open_bundle(place))
    return (place / "model/model.onnx").read_bytes() == content and list(place.parent.iterdir()) == [place]


@pytest.mark.parametrize("exchanges", [True, False])
def test_the_new_one_takes_its_place(exchanges: bool, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not exchanges:
        monkeypatch.setattr(replacing, "_exchanged", lambda folder, place: False)
    old = open_bundle(place).identity
    assert write(place, b"new", overwrite=True) == open_bundle(place).identity != old
    assert holds(place, b"new")


def test_without_a_bundle_there_it_is_written_as_ever(tmp_path: Path) -> None:
    write(tmp_path / "a-1", b"new", overwrite=True)
    assert holds(tmp_path / "a-1", b"new")


def test_without_the_word_it_stays(place: Path) -> None:
    with pytest.raises(
        UsageError, match="exists already: give another --version or --output, replace it with --overwrite"
    ):
        write(place, b"new")
    assert holds(place, b"old")


@pytest.mark.parametrize("kind", ["folder", "empty", "file", "link", "dangling", "manifest of another"])
def test_what_is_no_bundle_is_never_replaced(kind: str, place: Path, tmp_path: Path) -> None:
    other = tmp_path / "b-1"
    if kind in ("link", "dangling"):
        other.symlink_to(place if kind == "link" else tmp_path / "nowhere")
    elif kind == "file":
        other.write_text("mine")
    else:
        other.mkdir()
        if kind != "empty":
            (other / "mine").write_text("mine")
        if kind == "manifest of another":
            (other / "manifest.json").write_text('{"name": "an app", "files": []}')
    with pytest.raises(UsageError, match="is not a bundle, and --overwrite replaces"):
        write(other, b"new", overwrite=True)
    assert os.path.lexists(other) and other.is_symlink() == (kind in ("link", "dangling"))
    assert kind in ("empty", "link", "dangling") or (other if kind == "file" else other / "mine").read_text() == "mine"
    assert (place / "model/model.onnx").read_bytes() == b"old"


def test_what_comes_to_lie_there_meanwhile_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundle is gone and a folder of somebody's is there when the new one is whole."""

    def changed(bundle: Any) -> None:
        (place / "manifest.json").write_text("mine now")

    monkeypatch.setattr(replacing, "check_files", changed)
    with pytest.raises(UsageError, match="is not a bundle"):
        write(place, b"new", overwrite=True)
    assert (place / "manifest.json").read_text() == "mine now"


def test_a_new_one_that_was_damaged_on_its_way_replaces_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_bundle

    def damaged(folder: Path) -> Any:
        (folder / "model/model.onnx").write_bytes(b"???")
        return opened(folder)

    monkeypatch.setattr(replacing, "open_bundle", damaged)
    with pytest.raises(UsageError, match="is unchanged: the new bundle is damaged on disk"):
        write(place, b"new", overwrite=True)
    monkeypatch.undo()
    assert holds(place, b"old")


def test_a_second_step_that_fails_is_taken_back(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacing, "_exchanged", lambda folder, place: False)
    rename, calls = os.rename, []

    def failing(source: Any, target: Any) -> None:
        calls.append(target)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(UsageError, match="No space left"):
        write(place, b"new", overwrite=True)
    monkeypatch.undo()
    assert len(calls) == 3 and holds(place, b"old")


def test_a_build_that_fails_leaves_the_old_one(flowers: Made, mlpack: Run, tmp_path: Path) -> None:
    given = ("build", flowers.model, "--example", flowers.example, "--target", "cpp")
    assert mlpack(*given)[0] == 0
    place = tmp_path / "dist" / "flowers-1.0.0"
    old = open_bundle(place).identity
    code, _, error = mlpack(*given, "--overwrite", "--max-p99", 0.0000001)
    assert code == 6 and open_bundle(place).identity == old, error
    (tmp_path / "mlpack.toml").write_text("[build]\noverwrite = true\n")
    code, said, error = mlpack(*given, "--config", tmp_path / "mlpack.toml")
    assert code == 0 and said["identity"] == old and list(place.parent.iterdir()) == [place], error
    check_files(open_bundle(place))
