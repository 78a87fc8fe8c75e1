"""mlpack's own operators as a library: made once, from mlpack's sources, with nothing in it that ages."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.spec import Signature
from mlpack_toolkit.converters.variant import Variant
from mlpack_toolkit.packager import kernels
from mlpack_toolkit.packager.errors import DamagedError, MissingToolError
from mlpack_toolkit.packager.kernels import FOLDER, MAIN, library, library_of

OLDEST = (2, 17)
"""The C library that ONNX Runtime's own wheels need at least."""


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, and nothing remembered in this process."""
    monkeypatch.setattr(kernels, "kept", lambda: tmp_path)
    monkeypatch.setattr(kernels, "_library", kernels._library.__wrapped__)
    return tmp_path


def _symbols(path: Path) -> str:
    return subprocess.run(["objdump", "-T", path], capture_output=True, text=True, check=True).stdout


def test_the_library_shows_one_function_and_runs_on_old_systems() -> None:
    found = _symbols(library().path)
    shown = [line.split()[-1] for line in found.splitlines() if " g " in line and "*UND*" not in line]
    assert shown == ["RegisterCustomOps"]
    versions = {word.strip("()") for word in found.split() if word.startswith("(GLIBC_")}
    numbers = [tuple(map(int, version.removeprefix("GLIBC_").split("."))) for version in versions]
    assert numbers and max(number[:2] for number in numbers) <= OLDEST
    header = subprocess.run(["objdump", "-p", library().path], capture_output=True, text=True, check=True).stdout
    assert [line.split()[-1] for line in header.splitlines() if "NEEDED" in line] == ["libc.so.6"]


def test_the_library_is_made_once_and_again_where_it_was_changed(
    fresh: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first = library()
    made = first.path.stat().st_mtime_ns
    assert first.sha256 == kernels.hashlib.sha256(first.path.read_bytes()).hexdigest()
    assert library() == first and first.path.stat().st_mtime_ns == made
    first.path.write_bytes(first.path.read_bytes() + b"malice")
    assert library() == first  # compiled twice, in two folders: the same bytes
    assert first.path.stat().st_mtime_ns != made and "has changed since mlpack made it" in capfd.readouterr().err
    assert sorted(path.suffix for path in (fresh / "kernels").iterdir()) == [".json", ".so"]


def test_without_a_compiler_the_message_says_what_to_install(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(MissingToolError, match="there is no no-such-compiler: apt install g"):
        library()
    monkeypatch.setenv("CXX", "false")
    with pytest.raises(MissingToolError, match="cannot be compiled here"):
        library()
    monkeypatch.setattr(kernels.platform, "machine", lambda: "riscv64")
    with pytest.raises(MissingToolError, match="not for Linux on riscv64"):
        library()


def test_another_library_than_the_proved_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    variant = Variant(
        "compiled", Artifact.of(tmp_path / "model.onnx"), Signature("regressor", (), ()), "float32", "float32"
    )
    assert library_of(variant) is None
    assert library_of(replace(variant, recipe={"library": library().sha256})) == library().path
    with pytest.raises(MissingToolError, match=r"was proved with the library sha256:00.* use the variant reference"):
        library_of(replace(variant, recipe={"library": "0" * 64}))
    with pytest.raises(DamagedError, match="does not name its library by a digest"):
        library_of(replace(variant, recipe={"library": ["/tmp/evil.so"]}))


def test_without_avx2_the_portable_kernels_alone_are_compiled(tmp_path: Path) -> None:
    """As on aarch64; with every warning an error."""
    flags = ("-std=c++17", "-Wall", "-Wextra", "-Werror", "-DMLPACK_PORTABLE", "-fno-exceptions", "-fno-rtti", "-M")
    compiler = shutil.which("c++")
    assert compiler
    for check in (flags, (*flags[:-1], "-fsyntax-only")):
        done = subprocess.run([compiler, *check, MAIN], cwd=FOLDER, capture_output=True, text=True)
        assert not done.returncode and "immintrin" not in done.stdout, done.stderr
