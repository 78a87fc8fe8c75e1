"""The cache: what is not as mlpack made it is not used, whoever changed it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlpack_toolkit.packager import setup_headers
from mlpack_toolkit.packager.cache import SEAL, remember, remembered, seal, whole
from mlpack_toolkit.packager.environments.python import capture, debian, index, overlay, probe
from mlpack_toolkit.packager.environments.python.wheels import Wheel, fetch, wheel_of
from mlpack_toolkit.packager.images import _local_base, _rootfs, _site_packages
from mlpack_toolkit.packager.paths import kept, passing


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mlpack"


def tree(place: Path) -> Path:
    (place / "lib").mkdir(parents=True)
    (place / "lib" / "code.py").write_text("x = 1\n")
    (place / "lib" / "link").symlink_to("code.py")
    seal(place)
    return place


def _flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[0] ^= 1
    path.write_bytes(raw)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a byte": lambda place: _flip(place / "lib" / "code.py"),
    "one more file": lambda place: (place / "lib" / "more.py").write_text("evil"),
    "one file less": lambda place: (place / "lib" / "code.py").unlink(),
    "a program": lambda place: (place / "lib" / "code.py").chmod(0o755),
    "another link": lambda place: (
        (place / "lib" / "link").unlink(),
        (place / "lib" / "link").symlink_to("/etc/passwd"),
    ),
    "a link for a file": lambda place: (
        (place / "lib" / "code.py").rename(place.parent / "code.py"),
        (place / "lib" / "code.py").symlink_to(place.parent / "code.py"),
    ),
    "one more folder": lambda place: (place / "more").mkdir(),
    "the seal": lambda place: _flip(place / SEAL),
    "no seal": lambda place: (place / SEAL).unlink(),
    "a seal of another shape": lambda place: (place / SEAL).write_text("[]"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_tree_that_changed_is_removed(change: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tree(tmp_path / "tree")
    assert whole(place) and not capsys.readouterr().err
    CHANGES[change](place)
    assert not whole(place) and not place.exists()
    assert f"{place} has changed since mlpack made it: mlpack makes it again" in capsys.readouterr().err


def test_what_python_compiles_in_a_tree_is_not_used(tmp_path: Path) -> None:
    place = tree(tmp_path / "tree")
    (place / "lib" / "__pycache__").mkdir()
    compiled = place / "lib" / "__pycache__" / "code.cpython-311.pyc"
    compiled.write_bytes(b"whatever")
    assert whole(place) and not compiled.exists()


def test_a_file_that_changed_is_removed(tmp_path: Path) -> None:
    place = tmp_path / "server"
    place.write_bytes(b"program")
    seal(place)
    assert whole(place)
    _flip(place)
    assert not whole(place) and not list(tmp_path.glob("server*"))


def test_an_answer_that_changed_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "new" / "answer"
    remember(path, {"a": 1})
    assert remembered(path) == {"a": 1}
    raw = path.read_bytes()
    for i in range(len(raw)):
        path.write_bytes(raw[:i] + bytes([raw[i] ^ 1]) + raw[i + 1 :])
        assert remembered(path) is None
    assert remembered(tmp_path / "nothing") is None


@pytest.mark.parametrize(
    "odd", [{"file": "../../x.whl"}, {"file": 3}, {"sha256": "../x"}, {"size": "1"}, {"more": 1}, {"url": None}]
)
def test_a_wheel_of_another_shape_is_forgotten(odd: dict[str, object]) -> None:
    good = {"file": "a-1-py3-none-any.whl", "sha256": "0" * 64, "size": 1, "record": ""}
    assert wheel_of(good) == Wheel("a-1-py3-none-any.whl", "0" * 64, 1, "")
    assert wheel_of({**good, **odd}) is None and wheel_of(None) is None


def test_a_wheel_that_changed_is_fetched_again(tmp_path: Path) -> None:
    import hashlib

    source = tmp_path / "source.whl"
    source.write_bytes(b"wheel")
    wheel = Wheel("a-1-py3-none-any.whl", hashlib.sha256(b"wheel").hexdigest(), 5, "", place=source.as_uri())
    fetch(wheel, tmp_path)
    held = kept() / "wheels" / wheel.sha256
    _flip(held)
    assert fetch(wheel, tmp_path).read_bytes() == b"wheel" == held.read_bytes()


def test_an_answer_of_the_index_that_changed_is_asked_again() -> None:
    each = {"name": "idna", "version": "3.10", "tags": ["py3-none-any"]}
    known = {"file": "idna-3.10-py3-none-any.whl", "sha256": "0" * 64, "size": 1, "record": ""}
    remember(index._memory_of(each), known)
    assert index._remembered(each) == Wheel(**known)  # type: ignore[arg-type]
    path = index._memory_of(each)
    path.write_bytes(path.read_bytes().replace(b"idna-3", b"evil-3"))
    assert index._remembered(each) is None


def test_a_lock_of_the_servers_packages_that_changed_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://index.example/a-1-py3-none-any.whl"
    offer = {"name": "a", "wheels": [{"url": url, "hashes": {"sha256": "0" * 64}}]}
    asked = []
    monkeypatch.setattr(_site_packages, "_asked", lambda pins, base: asked.append(pins) or [offer])
    base = _rootfs.Base(Path(), "", "3.11", "2_36", {})
    first = _site_packages.pinned({"a": "1"}, base)
    assert _site_packages.pinned({"a": "1"}, base) == first and len(asked) == 1
    (path,) = (kept() / "images").glob("lock-*")
    path.write_bytes(path.read_bytes().replace(b"0" * 64, b"1" * 64))
    assert _site_packages.pinned({"a": "1"}, base) == first and len(asked) == 2


@pytest.mark.parametrize("kind", ["overlay", "python", "rootfs", "pip", "site"])
def test_a_tree_of_each_kind_is_made_again(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Made, used, changed, and made again; what makes it is replaced by what writes two files."""
    made = []

    def make(place: Path) -> Path:
        made.append(place)
        (place / "usr" / "bin").mkdir(parents=True, exist_ok=True)
        (place / "usr" / "bin" / "python3.11").write_text("program")
        (place / "pip-1.0-py3-none-any.whl").write_text("wheel")
        return place

    def unpacked(packages: object, suite: str, scratch: Path, **how: object) -> Path:
        return make(scratch / "tree")

    captured = capture.Captured({"interpreter": {"version": "3.11"}}, (), {})
    monkeypatch.setattr(overlay, "_missing", lambda python, installed, wanted: ["onnx==1.20"])
    monkeypatch.setattr(overlay, "uv", lambda *a, **k: (make(Path(a[a.index("--target") + 1])), _Done())[1])
    for module in (debian, _local_base):
        monkeypatch.setattr(module, "unpacked", unpacked)
    monkeypatch.setattr(_rootfs, "_make", lambda base, suite, wanted, scratch: _about(make(base.tree)))
    monkeypatch.setattr(_site_packages, "pinned", lambda packages, base: [])
    monkeypatch.setattr(_rootfs.Base, "compile", lambda self, folder, place: make(folder))
    use: dict[str, Callable[[], object]] = {
        "overlay": lambda: overlay.converter_packages("python3", captured, ["onnx>=1.16"]),
        "python": lambda: debian.fetched("3.11"),
        "rootfs": lambda: _rootfs.debian("bookworm"),
        "pip": lambda: _local_base._wheel("bookworm"),
        "site": lambda: _site_packages.site({}, _rootfs.Base(tmp_path, "", "3.11", "2_36", {})),
    }
    for _ in range(2):
        use[kind]()
    assert len(made) == 1
    (program,) = kept().rglob("pip-1.0-py3-none-any.whl")
    _flip(program)
    use[kind]()
    assert len(made) == 2 and program.read_text() == "wheel"


class _Done:
    returncode = 0


def _about(tree: Path) -> None:
    (tree / _rootfs.ABOUT).write_text("{}")


def test_headers_that_changed_are_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = []

    def unpacked(packages: object, suite: str, scratch: Path, sources: Path) -> None:
        fetched.append(scratch)
        place = scratch / "tree" / "usr" / "include" / "onnxruntime"
        about = scratch / "tree" / "usr" / "share" / "doc" / setup_headers.PACKAGE
        for folder in (place, about):
            folder.mkdir(parents=True)
        (place / "onnxruntime_cxx_api.h").write_text("header")
        (about / "copyright").write_text("licence")

    monkeypatch.setattr(setup_headers, "unpacked", unpacked)
    include = setup_headers.fetch_headers(setup_headers.cache_folder())
    setup_headers.check_kept()
    assert len(fetched) == 1
    _flip(include / "onnxruntime_cxx_api.h")
    setup_headers.check_kept()
    assert len(fetched) == 2 and (include / "onnxruntime_cxx_api.h").read_text() == "header"


def test_headers_in_a_folder_of_the_users_own_stay(tmp_path: Path) -> None:
    (tmp_path / "include").mkdir()
    header = tmp_path / "include" / "onnxruntime_cxx_api.h"
    header.write_text("mine")
    assert setup_headers.fetch_headers(tmp_path) == tmp_path / "include" and header.read_text() == "mine"


def test_digests_of_installed_files_that_changed_are_taken_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = tmp_path / "memory"
    probe.main(str(memory))
    known = memory.read_bytes()
    memory.write_bytes(known.replace(b'"altered": []', b'"altered": ["x"]'))
    capsys.readouterr()
    probe.main(str(memory))
    assert not any("x" in each["altered"] for each in json.loads(capsys.readouterr().out)["distributions"])
    for broken in (b"", b"\xff" * 80, b"{}", known[:100]):
        memory.write_bytes(broken)
        probe.main(str(memory))


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
@pytest.mark.parametrize("below", ["", "wheels"])
def test_a_cache_that_others_can_write_is_not_used(
    below: str, mode: int, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (cache / below).mkdir(mode=0o700, parents=True)
    (cache / below).chmod(mode)
    assert passing() and kept() != cache and os.stat(kept()).st_mode & 0o077 == 0
    assert f"nothing in {cache} is used: {cache / below}".rstrip("/") in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_cache_of_another_user_is_not_used(cache: Path) -> None:
    cache.mkdir(parents=True)
    os.chown(cache, 65534, 65534)
    assert passing() and kept() != cache


def test_a_new_cache_is_closed_to_others(cache: Path) -> None:
    before = os.umask(0o002)
    try:
        assert kept() == cache and cache.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)
