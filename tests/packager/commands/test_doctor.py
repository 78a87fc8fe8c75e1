"""`mlpack doctor` asks what would be used: the container engine, not its client."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import tomllib

from mlpack_toolkit import converters
from mlpack_toolkit.converters.needs import Requirement, Tool
from mlpack_toolkit.packager import images
from mlpack_toolkit.packager.commands import doctor
from mlpack_toolkit.packager.needs import extras, needs


def check_of(name: str) -> dict[str, Any]:
    return next(c for c in doctor.doctor()["checks"] if c["name"] == name and c["for"] == "container images")


def test_a_client_without_an_engine_is_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    found = check_of("docker")
    assert found["found"] == "" and "no container engine answers" in found["mend"]
    assert found["mend"].startswith("unset DOCKER_HOST")


@pytest.mark.parametrize(
    ("why", "client", "fix"),
    [
        ("no container engine answers: Connection refused", "/usr/bin/docker", "sudo systemctl start docker"),
        ("no container engine answers: No such file", None, "apt-get install docker.io"),
        ("no container engine answers: Permission denied", "/usr/bin/docker", 'sudo usermod -aG docker "$USER"'),
        (
            "the package docker is not installed: pip install x",
            "/usr/bin/docker",
            "pip install 'mlpack-toolkit[image]'",
        ),
    ],
)
def test_it_says_what_fixes_it(why: str, client: str | None, fix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(images, "engine", lambda seconds: ("", why))
    monkeypatch.setattr("shutil.which", lambda tool: client if tool == "docker" else None)
    found = check_of("docker")
    assert found["mend"].startswith(fix) and why in found["mend"]


def test_an_engine_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "engine", lambda seconds: ("28.2.2", ""))
    assert check_of("docker")["found"] == "engine 28.2.2"


@pytest.mark.parametrize("error", [subprocess.TimeoutExpired("mvn", 60), PermissionError("no")])
def test_a_tool_that_does_not_answer_is_missing(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*args: Any, **options: Any) -> Any:
        raise error

    monkeypatch.setattr("shutil.which", lambda tool: f"/usr/bin/{tool}")
    monkeypatch.setattr(subprocess, "run", failing)
    assert doctor._says("mvn", "--version") == ""


def test_the_extras_of_the_package_are_what_the_variants_declare() -> None:
    """Whoever changes one changes the other: `pip install` and `mlpack doctor` say the same."""
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    declared = {name: sorted(texts) for name, texts in extras().items()}
    assert declared == {n: sorted(t) for n, t in project["optional-dependencies"].items() if n != "test"}
    base = {Requirement(text).name for text in project["dependencies"]}
    assert {each.name for each in needs() if isinstance(each, Requirement) and not each.extra} <= base


def test_doctor_asks_every_variant() -> None:
    shown = {(c["name"], c["for"]): c for c in doctor.doctor()["checks"]}
    for need in needs():
        if need.purpose:
            found = shown[need.name, need.purpose]
            assert found["mend"] == need.mend if isinstance(need, Tool) else "pip install" in found["mend"]
    assert {n.purpose for name in converters.names() for n in converters.load(name).needs} >= {"R models"}
    assert shown["scikit-learn", "scikit-learn models"]["found"]
    assert shown["scikit-learn", "scikit-learn models"]["mend"] == "pip install 'mlpack-toolkit[sklearn]'"
    assert shown["Rscript", "R models"]["mend"] == "apt-get install r-base-core"
    assert {"sandbox", "headers", "boost", "skopeo", "uv", "py-rattler", "xgboost-cpu"} <= {name for name, _ in shown}
