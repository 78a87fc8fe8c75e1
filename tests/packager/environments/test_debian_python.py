"""An interpreter of an earlier Debian release, fetched by the system's own apt into a folder of the user's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mlpack_toolkit.packager.debian import unpacked
from mlpack_toolkit.packager.environments.python import debian
from mlpack_toolkit.packager.errors import MissingToolError

from .made import environment, run


def test_a_release_later_than_this_system_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.36"))
    assert debian.offers("3.9") and debian.offers("3.11")
    assert not debian.offers("3.13") and not debian.offers("3.10")
    monkeypatch.setattr("platform.libc_ver", lambda: ("musl", "1.2"))
    assert not debian.offers("3.9")


@pytest.mark.slow
def test_python_3_9_with_its_own_libraries_and_an_environment_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("apt-get") is None or not debian.offers("3.9"):
        pytest.skip("this is no Debian")
    try:
        unpacked(("python3.9-minimal",), "bullseye", tmp_path / "asked")
    except MissingToolError as error:  # releases leave the archive one day
        pytest.skip(str(error))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    python = debian.fetched("3.9")
    made = environment(tmp_path / "env", "idna==3.10", python=str(python))
    code = "import sys, ssl, ctypes, decimal, idna; print(sys.version[:3], sys.prefix != sys.base_prefix)"
    assert run(made, code, tmp_path) == "3.9 True\n"
    assert debian.fetched("3.9") == python
