"""Layers: the same bytes whatever the disk says of times, owners, modes and order; and nothing leads out."""

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path

import pytest

from mlpack_toolkit.packager.errors import DamagedError
from mlpack_toolkit.packager.images._layers import Folder, Link, Source, below, write_layer

LONG = "/".join(["a-folder-with-a-long-name"] * 12)


def _tree(folder: Path, names: list[str]) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def test_the_disk_decides_nothing(tmp_path: Path) -> None:
    names = ["b/two", "b/one", "ä/ü", f"{LONG}/deep", "a-b", "a/c"]
    one, other = _tree(tmp_path / "1", names), _tree(tmp_path / "2", names[::-1])
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700 if path.is_dir() else 0o600)
    layers = [write_layer("x", below(tree, "at"), tmp_path / f"{tree.name}.tar") for tree in (one, other)]
    assert layers[0].path.read_bytes() == layers[1].path.read_bytes()
    assert layers[0].digest == layers[1].digest == hashlib.sha256(layers[0].path.read_bytes()).hexdigest()
    assert layers[0].size == layers[0].path.stat().st_size
    assert layers[0].unpacked == sum(len(name.encode()) for name in names)


def test_what_the_tar_says_of_its_files(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"#!")
    program.chmod(0o4750)
    tree: dict[str, Source] = {
        "usr/bin/program": program,
        "bin": Link("usr/bin"),
        "tmp": Folder(0o1777),
        "etc/x": b"content",
    }
    layer = write_layer("x", tree, tmp_path / "layer.tar")
    with tarfile.open(layer.path) as archive:
        found = {e.name: e for e in archive.getmembers()}
        assert list(found) == ["bin", "etc", "etc/x", "tmp", "usr", "usr/bin", "usr/bin/program"]
        assert {(e.uid, e.gid, e.mtime, e.uname, e.gname) for e in found.values()} == {(0, 0, 0, "", "")}
        modes = {name: oct(e.mode) for name, e in found.items()}
        assert modes["usr/bin/program"] == "0o755" and modes["etc/x"] == "0o644"
        assert modes["tmp"] == "0o1777" and modes["usr"] == "0o755"
        assert found["bin"].linkname == "usr/bin"
        assert archive.extractfile("etc/x").read() == b"content"  # type: ignore[union-attr]


def test_long_and_foreign_names_come_back(tmp_path: Path) -> None:
    names = [f"{LONG}/{'x' * 150}", "ä/日本", "with space"]
    layer = write_layer("x", dict.fromkeys(names, b""), tmp_path / "layer.tar")
    with tarfile.open(layer.path) as archive:
        assert set(names) <= set(archive.getnames())


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "a//b", "", "./a", "a/.", "a\0b"])
def test_a_path_that_leads_out_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="is not a valid path in an image"):
        write_layer("x", {name: b""}, tmp_path / "layer.tar")


@pytest.mark.parametrize("target", ["../../etc", "x/../../../y", "/../etc"])
def test_a_link_that_leads_out_is_refused(target: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="leads out of the image"):
        write_layer("x", {"usr/lib": Link(target)}, tmp_path / "layer.tar")


def test_links_within_the_image_are_kept(tmp_path: Path) -> None:
    tree = {"usr/lib/x": Link("../../etc/x"), "lib64": Link("/usr/lib")}
    with tarfile.open(write_layer("x", tree, tmp_path / "layer.tar").path) as archive:
        assert archive.getmember("usr/lib/x").linkname == "../../etc/x"


def test_a_file_that_holds_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="is not a folder"):
        write_layer("x", {"a": b"", "a/b": b""}, tmp_path / "layer.tar")


def test_neither_pipes_nor_what_links_point_at(tmp_path: Path) -> None:
    (tmp_path / "tree" / "real").mkdir(parents=True)
    (tmp_path / "tree" / "real" / "x").write_text("x")
    (tmp_path / "tree" / "link").symlink_to("real")
    assert below(tmp_path / "tree", "")["link"] == Link("real")
    assert "link/x" not in below(tmp_path / "tree", "")
    os.mkfifo(tmp_path / "tree" / "pipe")
    with pytest.raises(DamagedError, match="neither a file"):
        below(tmp_path / "tree", "")
