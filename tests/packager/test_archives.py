"""Members of tar archives that lead elsewhere, by Python's filters and by the checks for Pythons without them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from mlpack_toolkit.packager.archives import DATA, TAR, check_member, extract_all

FILE, LINK, HARD, PIPE = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE


def member(name: str, kind: bytes = FILE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


OUTSIDE = [
    ("../x", FILE, ""),
    ("a/../../x", FILE, ""),
    ("a/x", LINK, "../../x"),
    ("a/x", LINK, "/etc/passwd"),
    ("a/x", HARD, "../x"),
    ("a/x", PIPE, ""),
]


@pytest.mark.parametrize(("name", "kind", "link"), OUTSIDE)
def test_what_leads_elsewhere_is_refused(name: str, kind: bytes, link: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        check_member(member(name, kind, link), tmp_path, DATA)
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as made:
        made.addfile(member(name, kind, link))
    with tarfile.open(archive) as made, pytest.raises((ValueError, tarfile.TarError)):
        extract_all(made, tmp_path / "into")


@pytest.mark.parametrize(("name", "kind", "link"), [("a/x", FILE, ""), ("a/x", LINK, "../y"), ("a/x", HARD, "a/y")])
def test_what_stays_inside_is_taken(name: str, kind: bytes, link: str, tmp_path: Path) -> None:
    check_member(member(name, kind, link), tmp_path, DATA)


def test_a_layer_may_link_anywhere_and_lie_nowhere_else(tmp_path: Path) -> None:
    check_member(member("/bin", LINK, "/usr/bin"), tmp_path, TAR)
    with pytest.raises(ValueError):
        check_member(member("../bin", LINK, "/usr/bin"), tmp_path, TAR)


def test_files_come_out_whole(tmp_path: Path) -> None:
    archive, info = tmp_path / "a.tar", member("a/x")
    info.size = 5
    with tarfile.open(archive, "w") as made:
        made.addfile(info, io.BytesIO(b"hello"))
    with tarfile.open(archive) as made:
        extract_all(made, tmp_path / "into")
    assert (tmp_path / "into/a/x").read_bytes() == b"hello"
