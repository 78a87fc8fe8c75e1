"""What a build records: with a lock of the user's own, and in an environment that conda made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from mlpack_toolkit.packager.environments import given_lock, record
from mlpack_toolkit.packager.errors import UsageError

from .made import FEW, environment

LOGIN = "anna:secret"
CONDA = {
    "name": "libanswer",
    "version": "4.2",
    "build": "h0_0",
    "build_number": 0,
    "channel": "https://channel.example/main/linux-64",
    "subdir": "linux-64",
    "url": f"https://{LOGIN}@channel.example/main/linux-64/libanswer-4.2-h0_0.conda",
    "fn": "libanswer-4.2-h0_0.conda",
    "sha256": "ab" * 32,
    "md5": "cd" * 16,
    "size": 1234,
    "depends": [],
}


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("few") / "env", *FEW)


def test_what_the_model_needs_is_marked(few: Path) -> None:
    found = record(str(few)).result(("idna",), False, None)
    assert [(d["name"], d["needed"]) for d in found.document["distributions"]] == [("idna", True), ("packaging", False)]
    assert found.facts == {"vendored": False, "unproved": []}
    assert set(found.files) == {"environment.json", "pylock.toml", "requirements.txt"}


def test_a_lock_of_ones_own_is_kept_and_held_against_what_is_installed(few: Path, tmp_path: Path) -> None:
    digest = "0" * 64
    given = tmp_path / "requirements.txt"
    given.write_text(
        f"--index-url https://{LOGIN}@index.example/simple\n"
        f"idna==3.9 --hash=sha256:{digest}\nattrs==25.1.0 --hash=sha256:{digest}\n"
    )
    found = record(str(few)).result((), False, given_lock(given))
    assert {(d["name"], d["kind"]) for d in found.facts["given"]["differences"]} == {
        ("idna", "other version"),
        ("attrs", "not installed"),
        ("packaging", "not in the lock"),
    }
    kept = found.files["given/requirements.txt"]
    assert b"idna==3.9" in kept and b"secret" not in kept and b"index.example" not in kept


def test_what_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("idna>=3\n")
    with pytest.raises(UsageError, match="idna"):
        given_lock(tmp_path / "requirements.txt")


def test_in_a_conda_environment_both_locks_are_written(tmp_path: Path) -> None:
    python = environment(tmp_path / "env", *FEW)
    meta = python.parent.parent / "conda-meta"
    meta.mkdir()
    (meta / "libanswer-4.2-h0_0.json").write_text(json.dumps(CONDA))
    found = record(str(python)).result((), False, None)
    packages = yaml.safe_load(found.files["conda-lock.yml"])["package"]
    assert {(p["manager"], p["name"]) for p in packages} == {
        ("conda", "libanswer"),
        ("pip", "idna"),
        ("pip", "packaging"),
    }
    assert b"libanswer-4.2-h0_0.conda#sha256:abab" in found.files["conda-explicit.txt"]
    assert not any(b"secret" in content for content in found.files.values())
    (tmp_path / "conda-lock.yml").write_bytes(found.files["conda-lock.yml"])
    again = record(str(python)).result((), False, given_lock(tmp_path / "conda-lock.yml"))
    assert again.facts["given"]["differences"] == []
    (meta / "libanswer-4.2-h0_0.json").write_text(json.dumps({**CONDA, "version": "4.3"}))
    other = record(str(python)).result((), False, given_lock(tmp_path / "conda-lock.yml"))
    (difference,) = other.facts["given"]["differences"]
    assert difference == {"name": "libanswer", "kind": "other version", "locked": "4.2", "installed": "4.3 (conda)"}
