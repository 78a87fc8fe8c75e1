"""The templates for CI: valid by the vendors' schemas, and their commands do what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from sklearn.linear_model import LogisticRegression

from tests.make import save

ROOT = Path(__file__).parents[2]
CI = ROOT / "examples" / "ci"
SCHEMAS = {
    "examples/ci/github/action.yml": "vendor.github-actions",
    "examples/ci/github/workflow.yml": "vendor.github-workflows",
    ".github/workflows/release.yml": "vendor.github-workflows",
    "examples/ci/gitlab/mlpack.gitlab-ci.yml": "vendor.gitlab-ci",
}


@pytest.mark.parametrize("file", SCHEMAS)
def test_it_fits_the_vendors_schema(file: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[file], file]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_template_is_checked() -> None:
    found = {path.relative_to(ROOT).as_posix() for folder in (CI, ROOT / ".github") for path in folder.rglob("*.yml")}
    assert found == set(SCHEMAS)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a trained model, and the bundle of its last release."""
    import pandas as pd

    rows = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0] * 5, "b": [1.0, 0.0, 1.0, 1.0] * 5})
    save(LogisticRegression().fit(rows, [0, 0, 1, 1] * 5), rows, tmp_path)
    (tmp_path / "mlpack.toml").write_text(
        '[build]\nmodel = "model.joblib"\nexample = "model.parquet"\ntarget = ["java"]\n'
    )
    return tmp_path


def bash(commands: Sequence[str], folder: Path, **variables: str) -> str:
    """What the commands print, in one shell as CI starts it; they must succeed."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", "\n".join(commands)],
        cwd=folder,
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _run_action(project: Path, **inputs: str) -> dict[str, str]:
    """The action's outputs: its steps but the installation, as the runner does them."""
    action: dict[str, Any] = yaml.safe_load((CI / "github/action.yml").read_text())
    given = {**{name: str(each["default"]) for name, each in action["inputs"].items()}, **inputs}
    outputs: dict[str, str] = {}
    for step in action["runs"]["steps"][1:]:
        if "if" in step and not given["baseline"]:
            continue
        known = {f"inputs.{name}": value for name, value in given.items()}
        known |= {f"steps.build.outputs.{name}": value for name, value in outputs.items()}
        variables = {name: known[value.strip("${} ")] for name, value in step["env"].items()}
        bash([step["run"]], project, GITHUB_OUTPUT=str(project / "outputs"), **variables)
        outputs = dict(line.split("=", 1) for line in (project / "outputs").read_text().splitlines())
    return outputs


@pytest.mark.slow
def test_the_github_action_builds_verifies_and_compares(project: Path) -> None:
    first = _run_action(project)
    assert first["bundle"] == "dist/model-1.0.0" and first["identity"].startswith("sha256:")
    (project / "dist/model-1.0.0").rename(project / "released")
    (project / "outputs").unlink()
    again = _run_action(project, targets="java", baseline="released")
    assert again == first and "no differences" not in (project / "diff.html").read_text()
    assert "<strong>same</strong>" in (project / "diff.html").read_text()


@pytest.mark.slow
def test_the_gitlab_template_does_the_same(project: Path) -> None:
    job = yaml.safe_load((CI / "gitlab/mlpack.gitlab-ci.yml").read_text())[".mlpack"]
    variables = {name: str(value) for name, value in job["variables"].items()}
    bash(job["script"], project, **variables)
    (project / "dist/model-1.0.0").rename(project / "released")
    bash(job["script"], project, **{**variables, "MLPACK_BASELINE": "released"})
    assert json.loads((project / "build.json").read_text().splitlines()[-1])["bundle"] == "dist/model-1.0.0"
    packed = subprocess.run(["tar", "-tzf", project / "bundle.tar.gz"], capture_output=True, text=True, check=True)
    assert "model-1.0.0/manifest.json" in packed.stdout.splitlines() and (project / "diff.html").is_file()


@pytest.mark.slow
def test_a_release_is_built_twice_to_the_same_bytes(tmp_path: Path) -> None:
    """Of a copy of the sources: the script writes `dist/`."""
    names = ("src", "README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml", ".ci", *("packager", "converters"))
    for name in (*names, "runtimes", "templates"):
        subprocess.run(["cp", "-a", ROOT / name, tmp_path], check=True)
    printed = bash([f"bash .ci/dist {sys.executable}"], tmp_path, SOURCE_DATE_EPOCH="1700000000")
    names = tuple(line.split()[1] for line in printed.splitlines())
    assert [name.rpartition(".")[2] for name in names] == ["whl", "gz"]
    assert {path.name for path in (tmp_path / "dist").iterdir()} == {*names, "SHA256SUMS"}
