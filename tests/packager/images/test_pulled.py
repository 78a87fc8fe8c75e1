"""A base out of a registry below an image that mlpack writes itself; and layers that are laid out with care."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.errors import DamagedError, EnvironmentFault, UsageError
from mlpack_toolkit.packager.images import make
from mlpack_toolkit.packager.images._layers import write_layer
from mlpack_toolkit.packager.images._registry_base import _lay_out
from tests.packager.conftest import Made

from .conftest import needs, push
from .test_archive import check


@pytest.mark.slow
def test_the_image_stands_on_the_layers_of_its_base(
    client: Any, crew: Made, python_base: str, trusted: str, tmp_path: Path
) -> None:
    first, again = (
        make(crew.folder, None, None, tmp_path / f"{name}.tar", python_base, name == "first", lambda step: None)
        for name in ("first", "again")
    )
    assert first["replayed"]["cases"] == sum(1 for _ in crew.bundle.golden())
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "again.tar").read_bytes()
    assert first["digest"] == again["digest"]
    manifest, config = check(tmp_path / "first.tar", 5)
    looked = [needs("skopeo"), "inspect", "--config", "--tls-verify=false", f"docker://{python_base}"]
    below = json.loads(subprocess.run(looked, check=True, capture_output=True).stdout)
    assert config["rootfs"]["diff_ids"][:2] == below["rootfs"]["diff_ids"]
    assert "TEAM=us" in config["config"]["Env"] and "ORT_DISABLE_TELEMETRY=1" in config["config"]["Env"]
    name, digest = python_base.split("@")
    assert manifest["annotations"]["org.opencontainers.image.base.name"] == name
    assert config["config"]["Labels"]["org.opencontainers.image.base.digest"] == digest


@pytest.mark.slow
def test_a_base_that_is_not_there_or_has_no_python(crew: Made, trusted: str, tmp_path: Path) -> None:
    nobody = f"{trusted}/team/nobody@sha256:{'0' * 64}"
    with pytest.raises(EnvironmentFault, match="cannot be fetched"):
        make(crew.folder, None, None, tmp_path / "x.tar", nobody, False, lambda step: None)
    layer = write_layer("empty", {"etc/motd": b"hello", "usr/bin/python3.10": b"old"}, tmp_path / "layer")
    empty = push(trusted, "team/old", [layer], [], tmp_path)
    with pytest.raises(UsageError, match=r"no Python 3\.11 or later"):
        make(crew.folder, None, None, tmp_path / "x.tar", empty, False, lambda step: None)
    assert not (tmp_path / "x.tar").exists()


Entries = Mapping[str, bytes | tuple[bytes, str]]
"""By path: content, or a kind of link with its target."""


def _layer(path: Path, entries: Entries) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in entries.items():
            entry = tarfile.TarInfo(name)
            if isinstance(content, tuple):
                entry.type, entry.linkname = content
                archive.addfile(entry)
            elif name.endswith("/"):
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return path


def _laid_out(tmp_path: Path, *layers: Entries) -> Path:
    tree = tmp_path / "tree"
    tree.mkdir()
    for i, entries in enumerate(layers):
        _lay_out(_layer(tmp_path / f"{i}.tar", entries), tree)
    return tree


def test_a_later_layer_replaces_and_hides(tmp_path: Path) -> None:
    below: Entries = {
        "a/": b"",
        "a/one": b"1",
        "a/two": b"2",
        "b/": b"",
        "b/three": b"3",
        "c": b"c",
        "d/": b"",
        "d/x": b"",
    }
    above: Entries = {
        "a/.wh.one": b"",
        "b/.wh..wh..opq": b"",
        "b/four": b"4",
        "c": (tarfile.SYMTYPE, "a/two"),
        "d": b"now",
    }
    tree = _laid_out(tmp_path, below, above)
    found = {p.relative_to(tree).as_posix() for p in tree.rglob("*") if not p.is_dir()}
    assert found == {"a/two", "b/four", "c", "d"}
    assert (tree / "c").read_bytes() == b"2" and (tree / "d").read_bytes() == b"now"


def test_a_folder_that_a_link_stands_for_is_written_through(tmp_path: Path) -> None:
    tree = _laid_out(tmp_path, {"usr/": b"", "usr/lib/": b"", "lib": (tarfile.SYMTYPE, "usr/lib")}, {"lib/x": b"x"})
    assert (tree / "usr/lib/x").read_bytes() == b"x" and (tree / "lib").is_symlink()


@pytest.mark.parametrize(
    "layers",
    [
        [{"../out": b"x"}],
        [{"out": (tarfile.SYMTYPE, ".."), "out/x": b"x"}],
        [{"out": (tarfile.SYMTYPE, "/tmp")}, {"out/mlpack-escaped": b"x"}],
        [{"out": (tarfile.SYMTYPE, "../..")}, {"out/.wh.tree": b""}],
        [{"hard": (tarfile.LNKTYPE, "../../../../etc/passwd")}],
    ],
)
def test_nothing_is_laid_out_elsewhere(layers: list[Entries], tmp_path: Path) -> None:
    keep = tmp_path / "keep"
    keep.write_bytes(b"mine")
    with pytest.raises(DamagedError):
        _laid_out(tmp_path, *layers)
    outside = {p.name for p in tmp_path.iterdir()} - {"tree", "keep", "0.tar", "1.tar"}
    assert not outside and keep.read_bytes() == b"mine" and not Path("/tmp/mlpack-escaped").exists()
