"""The wheel holds every file, and works where the repository is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.make import save

ROOT = Path(__file__).parent.parent
FOLDERS = ("packager", "converters", "runtimes", "templates")

pytestmark = pytest.mark.slow


def _run(*command: object, cwd: Path) -> str:
    """What the command says on standard output; it must succeed."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(c) for c in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (path,) = folder.glob("mlpack_toolkit-*.whl")
    return path


def _wanted() -> set[str]:
    """Every file of the four folders, templates with braces in their paths too, in the one import package."""
    paths = (p for folder in FOLDERS for p in (ROOT / folder).rglob("*") if p.is_file())
    inside = {p.relative_to(ROOT) for p in paths if "__pycache__" not in p.parts and p.suffix != ".pyc"}
    own = ("__init__.py", "__main__.py")
    return {f"mlpack_toolkit/{path}" for path in (*own, *(p.as_posix() for p in inside))}


def test_the_wheel_holds_every_file_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {n for n in archive.namelist() if ".dist-info/" not in n}
        licences = [n for n in archive.namelist() if n.endswith(".dist-info/licenses/LICENSE")]
        assert len(licences) == 1 and archive.read(licences[0]) == (ROOT / "LICENSE").read_bytes()
        different = [n for n in names & _wanted() if archive.read(n) != (ROOT / "src" / n).read_bytes()]
    assert any("{{ package }}" in n for n in names)
    assert names == _wanted()
    assert not different


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a fresh environment that holds the wheel.

    Its dependencies are those of the tests' own environment, reached by a path file: the editable installation there
    is not read, for path files below such a path have no effect.
    """
    home = tmp_path_factory.mktemp("fresh") / "environment"
    _run(sys.executable, "-m", "venv", "--without-pip", home, cwd=home.parent)
    programs = home / "bin"
    purelib = _run(
        programs / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home
    ).strip()
    _run(sys.executable, "-m", "pip", "--python", home, "install", "-q", "--no-deps", "--no-index", wheel, cwd=home)
    Path(purelib, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return programs


def test_the_installed_packages_are_the_wheels_own(installed: Path, tmp_path: Path) -> None:
    code = "from mlpack_toolkit import converters as c, packager as p, templates as t"
    code += "; print(*(m.__file__ for m in (c, p, t)))"
    for path in _run(installed / "python", "-c", code, cwd=tmp_path).split():
        assert path.startswith(str(installed.parent)), path


def test_build_and_verify_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    from tests.cases.models import MODELS

    save(*MODELS["text_and_numbers"](), tmp_path)
    options = ("--example", "model.parquet", "--target", "java", "--target", "cpp", "--json")
    out = _run(installed / "mlpack", "build", "model.joblib", *options, cwd=tmp_path)
    bundle = tmp_path / json.loads(out.splitlines()[-1])["bundle"]
    assert (bundle / "deploy/java/pom.xml").is_file() and (bundle / "deploy/cpp/CMakeLists.txt").is_file()
    _run(installed / "mlpack", "verify", bundle, cwd=tmp_path)
    answers = _run(installed / "mlpack", "predict", bundle, "model.parquet", cwd=tmp_path).splitlines()
    assert len(answers) == 241 and "groß 😀" in answers[0]
