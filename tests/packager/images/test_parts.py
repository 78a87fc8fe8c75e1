"""Names of images, Debian's tree, wheels unpacked without an installer, and what the server is; mostly offline."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.errors import DamagedError, EnvironmentFault, MissingToolError, UsageError
from mlpack_toolkit.packager.images import _import_closure, _rootfs, _site_packages, load, names
from mlpack_toolkit.packager.images._layers import Folder, Link
from mlpack_toolkit.packager.images._rootfs import Base
from mlpack_toolkit.packager.images._site_packages import pinned, unzip
from mlpack_toolkit.packager.images.spec import Tag

BASE = Base(Path("nowhere"), "bookworm", "3.11", "2_36", {"libc6": "2.36-9"})


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("churn:1.0", "churn:1.0"),
        ("churn", "churn:latest"),
        ("registry.example:5000/a/b:v1.2-3", "registry.example:5000/a/b:v1.2-3"),
        ("localhost/churn:1", "localhost/churn:1"),
    ],
)
def test_a_name_with_its_version(text: str, whole: str) -> None:
    assert str(Tag.read(text)) == whole


@pytest.mark.parametrize(
    "text", ["Churn:1", "churn:", "churn:1:2", "a//b", "", "churn:ä", "-x", "churn@sha256:0", "a b"]
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not an image name"):
        Tag.read(text)


def test_any_bundle_has_a_tag() -> None:
    for name, version in [("Penguin_Sex", "1.0.0"), ("ä", "+"), ("a__b", "1.0+local"), ("x" * 40, "v" * 300)]:
        assert Tag.read(str(Tag.of(name, version))) == Tag.of(name, version)
    assert str(Tag.of("Penguin_Sex", "1.0.0")) == "penguin-sex:1.0.0"
    assert Tag.read("registry.example/a/churn:1.0").title == "churn-1.0"


def test_kinds() -> None:
    assert "oci" in names() and all(load(name).name == name for name in names())
    with pytest.raises(UsageError, match="choose one of: "):
        load("floppy")


def _tree(folder: Path) -> Path:
    for name in ("lib/x86_64-linux-gnu/libc.so.6", "lib64/ld.so", "usr/lib/os-release", "usr/lib/binfmt.d/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    for name in ("usr/share/doc/a/copyright", "usr/share/doc/a/README", "home/x", "usr/share/man/x", "etc/skel/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "etc/os-release").symlink_to("../usr/lib/os-release")
    (folder / "usr/lib/dead").symlink_to("binfmt.d/x")
    (folder / "usr/lib/root").symlink_to("/lib/x86_64-linux-gnu/libc.so.6")
    return folder


def test_a_debian_tree_is_merged_and_trimmed(tmp_path: Path) -> None:
    tree = _tree(tmp_path)
    _rootfs._merge(tree)
    _rootfs._trim(tree)
    _rootfs._reduce_documents(tree)
    left = {p.relative_to(tree).as_posix() for p in tree.rglob("*") if not p.is_dir()}
    assert left == {
        "etc/os-release",
        "usr/lib/os-release",
        "usr/lib/root",
        "usr/lib/x86_64-linux-gnu/libc.so.6",
        "usr/lib64/ld.so",
        "usr/share/doc/a/copyright",
    }
    assert (tree / "lib").readlink() == Path("usr/lib") and (tree / "bin").readlink() == Path("usr/bin")


def test_a_tree_as_a_layer_has_users_and_folders(tmp_path: Path) -> None:
    (tmp_path / "usr").mkdir()
    (tmp_path / _rootfs.ABOUT).write_text("{}")
    (tmp_path / "lib").symlink_to("usr/lib")
    found = Base(tmp_path, "bookworm", "3.11", "2_36", {}).source()
    assert found["tmp"] == Folder(0o1777) and found["lib"] == Link("usr/lib") and found["proc"] == Folder()
    assert b"nonroot:x:65532:65532:" in found["etc/passwd"]  # type: ignore[operator]
    assert _rootfs.ABOUT not in found


def test_the_suite_is_this_machines_where_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def release(**said: str) -> None:
        monkeypatch.setattr("platform.freedesktop_os_release", lambda: said)

    release(ID="debian", VERSION_CODENAME="trixie")
    assert _rootfs.suite_here() == "trixie"
    release(ID="ubuntu", VERSION_CODENAME="trixie")
    assert _rootfs.suite_here() == "bookworm"
    release(ID="debian", VERSION_CODENAME="sarge")
    assert _rootfs.suite_here() == "bookworm"


def test_other_machines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "s390x")
    with pytest.raises(MissingToolError, match="s390x"):
        _rootfs.architecture()


def _wheel(folder: Path, *files: str, link: str = "") -> Path:
    path = folder / "thing-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in files:
            archive.writestr(name, name)
        if link:
            entry = zipfile.ZipInfo(link)
            entry.external_attr = 0o120777 << 16
            archive.writestr(entry, "/etc")
    return path


def test_a_wheel_without_an_installer(tmp_path: Path) -> None:
    files = ("thing/a.py", "thing/tests/t.py", "thing/x.pyx", "thing-1.dist-info/METADATA", "thing-1.dist-info/RECORD")
    data = ("thing-1.data/platlib/thing/b.so", "thing-1.data/scripts/run", "thing-1.data/data/share/x")
    unzip(_wheel(tmp_path, *files, *data), tmp_path / "site")
    left = {p.relative_to(tmp_path / "site").as_posix() for p in (tmp_path / "site").rglob("*") if p.is_file()}
    assert left == {"thing/a.py", "thing/b.so", "thing-1.dist-info/METADATA"}


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "t-1.data/purelib/../../x"])
def test_a_wheel_that_leads_out_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="leads out"):
        unzip(_wheel(tmp_path, name), tmp_path / "site")
    assert not (tmp_path / "x").exists()
    with pytest.raises(DamagedError, match="leads out"):
        unzip(_wheel(tmp_path, link="thing/link"), tmp_path / "site")


def _index(monkeypatch: pytest.MonkeyPatch, text: str, code: int = 0) -> list[tuple[Any, ...]]:
    """An index in uv's place; the list of what it was asked."""
    asked: list[tuple[Any, ...]] = []

    def answer(*arguments: Any, given: str) -> subprocess.CompletedProcess[str]:
        asked.append((*arguments, given))
        return subprocess.CompletedProcess([], code, text, "no route to it")

    monkeypatch.setattr(_site_packages, "uv", answer)
    return asked


LOCK = """
[[packages]]
name = "thing"
version = "1"
wheels = [{ url = "https://index.example/thing%2B1-py3-none-any.whl", hashes = { sha256 = "SHA256" } }]
""".replace("SHA256", "ab" * 32)


def test_the_index_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked = _index(monkeypatch, LOCK)
    first = pinned({"thing": "1"}, BASE)
    assert first == pinned({"thing": "1"}, BASE) and len(asked) == 1
    assert first[0].file == "thing+1-py3-none-any.whl" and first[0].sha256 == "ab" * 32
    assert "thing==1\n" in asked[0] and "--no-deps" in asked[0] and "3.11" in asked[0]
    pinned({"thing": "2"}, BASE)
    assert len(asked) == 2


def test_no_index_and_no_wheel_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    _index(monkeypatch, "", 1)
    with pytest.raises(EnvironmentFault, match="no route to it"):
        pinned({"thing": "1"}, BASE)
    _index(monkeypatch, '[[packages]]\nname = "thing"\n')
    with pytest.raises(EnvironmentFault, match="no wheel of thing"):
        pinned({"thing": "1"}, BASE)


def test_the_server_is_what_it_loads() -> None:
    found = _import_closure.needs()
    own = {name.removeprefix("mlpack_toolkit/") for name in found.modules}
    assert {"runtimes/server/__main__.py", "runtimes/__init__.py", "converters/spec.py"} <= own
    assert not [name for name in own if name.startswith("converters/s") and name != "converters/spec.py"]
    assert {"numpy", "onnxruntime", "uvloop", "httptools", "orjson"} <= set(found.packages)
    assert not {"grpcio", "protobuf", "onnx", "pyarrow", "mlpack-toolkit", "jinja2", "click"} & set(found.packages)


def test_a_package_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_import_closure, "LOADED_BY_NAME", ("no_such_package",))
    with pytest.raises(MissingToolError, match=r"no_such_package.*pip install"):
        _import_closure.needs()


def test_the_head_of_the_command_line_loads_no_kind() -> None:
    code = "import sys; from mlpack_toolkit.packager import images; images.names(); "
    code += "print([m for m in sys.modules if '.images.' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize(("version", "named"), [("2.28", "2_28"), ("2.36", "2_36"), ("2.40", "2_40"), ("2.41", "2_40")])
def test_wheels_are_asked_for_the_bases_own_c_library(version: str, named: str) -> None:
    """The latest that uv knows is 2.40."""
    assert _rootfs.glibc(version) == named
