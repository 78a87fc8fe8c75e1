"""A Python environment as it is, asked of its own interpreter."""

from __future__ import annotations

import json
import os
import platform
import sys
import venv
from importlib import metadata
from pathlib import Path

import pytest

from mlpack_toolkit.packager.environments.python.capture import Capture
from mlpack_toolkit.packager.errors import EnvironmentFault, MissingToolError


def test_this_environment() -> None:
    captured = Capture(sys.executable).result()
    facts = captured.document(frozenset({"numpy"}))
    assert (facts["format"], facts["language"]) == (2, "python")
    assert facts["interpreter"]["version"] == platform.python_version()
    assert facts["libc"].startswith(("glibc", "musl"))
    found = {d["name"]: d for d in facts["distributions"]}
    assert found["numpy"]["version"] == metadata.version("numpy") and "onnx" in found
    assert [name for name, each in found.items() if each["needed"]] == ["numpy"]
    assert found["numpy"]["origin"] == "index" and not found["numpy"]["altered"]
    assert found["numpy"]["files"] > 500 and found["numpy"]["record"].startswith("sha256:")
    assert "BSD" in found["numpy"]["licence"] and found["mlpack-toolkit"]["origin"] == "editable"
    names = [d["name"] for d in facts["distributions"]]
    assert names == sorted(names, key=str.lower) and len(names) == len(set(names))


def test_no_path_and_no_host_is_told() -> None:
    import socket

    said = json.dumps(Capture(sys.executable).result().document(frozenset()))
    for secret in (sys.prefix, str(Path.home()) + "/", os.getcwd() + "/", f'"{socket.gethostname()}"'):
        assert secret not in said, secret


def test_twice_the_same_wherever_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Capture(sys.executable).result()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONHASHSEED", "5")
    (tmp_path / "json.py").write_text("raise SystemExit('a module of the folder that mlpack was called in')")
    assert Capture(sys.executable).result() == one


def test_another_environment_has_its_own(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    captured = Capture(str(tmp_path / "bare" / "bin" / "python")).result()
    assert captured.distributions == ()
    assert captured.facts["interpreter"]["cache_tag"] == sys.implementation.cache_tag


def test_no_interpreter() -> None:
    with pytest.raises(MissingToolError, match="/nowhere/python cannot be started"):
        Capture("/nowhere/python")


@pytest.mark.parametrize("program", ["/bin/true", "/bin/false", "/bin/echo"])
def test_what_is_no_python(program: str) -> None:
    with pytest.raises(EnvironmentFault, match="the environment cannot be captured"):
        Capture(program).result()


def test_every_pythons_probe(tmp_path: Path) -> None:
    """The probe runs under each interpreter that lies about here."""
    found = sorted(Path.home().glob(".pyenv/versions/3.*/bin/python"))
    usable = [p for p in found if int(p.parts[-3].split(".")[1]) >= 9]
    if not usable:
        pytest.skip("there is no other Python here")
    for python in usable:
        facts = Capture(str(python)).result().facts
        assert facts["interpreter"]["version"] == python.parts[-3]
