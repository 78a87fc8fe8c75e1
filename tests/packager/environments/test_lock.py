"""The lock of a real environment: what is pinned is what is installed, shown file by file, or named as not shown."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import tomllib
from packaging.pylock import Pylock

from mlpack_toolkit.packager.environments.python.capture import Capture
from mlpack_toolkit.packager.environments.python.lock import Lock, lock, look_up
from mlpack_toolkit.packager.environments.python.wheels import record_of

from .made import FEW, environment

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "ours"
version = "1.2"
requires-python = ">=3.11"
"""


def locked(python: Path, vendor: bool = False) -> Lock:
    captured = Capture(str(python)).result()
    return lock(captured, look_up(captured), frozenset({"idna"}), vendor)


def pins(made: Lock) -> dict[str, Any]:
    plain = tomllib.loads(made.files["pylock.toml"].decode())
    Pylock.from_dict(plain).validate()
    return {package["name"]: package["wheels"][0] for package in plain["packages"]} | plain["tool"]


@pytest.fixture
def few(tmp_path: Path) -> Path:
    return environment(tmp_path / "few", *FEW)


def site(python: Path) -> Path:
    return next((python.parent.parent / "lib").glob("python3*")) / "site-packages"


def test_every_pin_is_the_publishers_own_wheel(few: Path) -> None:
    made = locked(few)
    found = pins(made)
    assert made.unproved == ()
    assert found["idna"]["url"].startswith("https://files.pythonhosted.org/packages/")
    assert found["idna"]["name"] == "idna-3.10-py3-none-any.whl" and found["idna"]["size"] == 70442
    assert found["mlpack"]["needed"] == ["idna"]
    lines = made.files["requirements.txt"].decode().splitlines()
    assert lines[0] == f"idna==3.10 --hash=sha256:{found['idna']['hashes']['sha256']}" and len(lines) == 2


def test_twice_the_same_and_nothing_of_this_machine(few: Path) -> None:
    made = locked(few)
    assert made == locked(few)
    said = b"".join(made.files.values()).decode()
    assert str(few.parent) not in said and str(Path.home()) not in said


def test_a_file_edited_in_place_is_named(few: Path) -> None:
    edited = site(few) / "idna" / "core.py"
    original = edited.read_bytes()
    edited.unlink()  # uv links files to its own store
    edited.write_bytes(original + b"\n# mine\n")
    (doubt,) = locked(few).unproved
    assert doubt["name"] == "idna" and "1 installed file differs" in doubt["why"] and "idna/core.py" in doubt["why"]


def test_a_file_that_is_gone_is_named(few: Path) -> None:
    (site(few) / "idna" / "codec.py").unlink()
    assert [doubt["name"] for doubt in locked(few).unproved] == ["idna"]


def test_a_wheel_of_ones_own_is_no_index_wheel(tmp_path: Path) -> None:
    """The same name and version as on the index, other files: a local build that nobody can fetch."""
    python = environment(tmp_path / "one", "idna==3.10")
    record = next(site(python).glob("idna-*.dist-info")) / "RECORD"
    text = record.read_text()
    record.unlink()
    record.write_text(text.replace("idna/core.py,sha256=", "idna/core.py,sha256=A"))
    (doubt,) = locked(python).unproved
    assert "other files than the installed ones" in doubt["why"]


def test_a_version_that_no_index_has(few: Path) -> None:
    about = next(site(few).glob("idna-*.dist-info"))
    vanished = about.with_name("idna-0.0.999.dist-info")
    shutil.copytree(about, vanished)
    shutil.rmtree(about)
    metadata = (vanished / "METADATA").read_text().replace("Version: 3.10", "Version: 0.0.999")
    (vanished / "METADATA").write_text(metadata)
    record = (vanished / "RECORD").read_text().replace("idna-3.10", "idna-0.0.999")
    (vanished / "RECORD").write_text(record)
    doubts = {doubt["name"]: doubt["why"] for doubt in locked(few).unproved}
    assert "the index has no wheel of this version" in doubts["idna"]
    assert "packaging" not in doubts


def test_vendored_wheels_are_the_publishers_files(few: Path, tmp_path: Path) -> None:
    made = locked(few, vendor=True)
    name = "idna-3.10-py3-none-any.whl"
    found = pins(made)["idna"]
    assert found["path"] == f"wheels/{name}" and "url" not in found
    assert len(made.files[f"wheels/{name}"]) == found["size"]


def test_what_no_index_has_is_built_or_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    (folder / "ours").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "ours" / "__init__.py").write_text("ANSWER = 42\n")
    edited = environment(tmp_path / "edited", "--editable", str(folder))
    installed = environment(tmp_path / "installed", str(folder), "idna==3.10")
    for python, why in ((edited, "editable"), (installed, "from a directory")):
        made = locked(python, vendor=True)
        (doubt,) = made.unproved
        assert doubt["name"] == "ours" and why in doubt["why"]
        wheel = tmp_path / "ours.whl"
        wheel.write_bytes(made.files["wheels/ours-1.2-py3-none-any.whl"])
        with zipfile.ZipFile(wheel) as archive:
            assert archive.read("ours/__init__.py") == b"ANSWER = 42\n"
        assert pins(made)["mlpack"]["made-here"] == ["ours"]
        assert locked(python).files.keys() == {"pylock.toml", "requirements.txt"}
    described = {d["name"]: d for d in Capture(str(installed)).result().distributions}
    assert record_of(wheel) == described["ours"]["record"]
