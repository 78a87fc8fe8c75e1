"""`mlpack reproduce`: real environments made again, the original asked again; offline, of an old Python, tampered."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands.build import Request, build
from mlpack_toolkit.packager.commands.reproduce import _otherwise, reproduce
from mlpack_toolkit.packager.environments.python import debian
from mlpack_toolkit.packager.environments.python.rebuild import Interpreter, find_interpreter
from mlpack_toolkit.packager.environments.system import kernels
from mlpack_toolkit.packager.equivalence.processor import NUMPY
from mlpack_toolkit.packager.errors import DamagedError, EnvironmentFault, MissingToolError, UsageError
from tests.packager.environments.made import environment, run

FIT = """
import joblib, numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
x, y = load_iris(return_X_y=True)
np.save("rows.npy", x)
joblib.dump(LogisticRegression(max_iter=500).fit(x, y), "flowers.joblib")
"""


def made_by(python: Path, folder: Path, vendor: bool) -> Path:
    """The bundle of a model that the interpreter fitted."""
    run(python, FIT, folder)
    built = build(
        Request(folder / "flowers.joblib", folder / "rows.npy", folder / "dist", python=str(python), vendor=vendor)
    )
    return built.bundle


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with scikit-learn and what it needs, and nothing that converts."""
    return environment(tmp_path_factory.mktemp("few") / "env", "scikit-learn==1.8.0", "numpy==2.3.5", "scipy==1.16.3")


@pytest.fixture(scope="module")
def vendored(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_by(few, tmp_path_factory.mktemp("vendored"), vendor=True)


def test_an_environment_that_cannot_convert_is_left_as_it_is(few: Path, vendored: Path) -> None:
    """Converting needs onnx, which lies beside it then."""
    assert "onnx" not in run(few, "import importlib.util as u; print(u.find_spec('onnx') and 'onnx')", vendored)
    bundle = open_bundle(vendored)
    described = {d["name"]: d for d in bundle.json("environment/python/environment.json")["distributions"]}
    assert set(described) == {"joblib", "numpy", "scikit-learn", "scipy", "threadpoolctl"} | set(described)
    assert not {"onnx", "protobuf"} & set(described)
    assert described["scikit-learn"]["needed"] and described["scipy"]["needed"]
    assert bundle.parts[0].facts == {"vendored": True, "unproved": []}


@pytest.mark.slow
def test_with_no_network_the_same_bits(vendored: Path, tmp_path: Path) -> None:
    alone = ["unshare", "-rn"] if shutil.which("unshare") and _may_unshare() else []
    again = ["reproduce", vendored, "--into", tmp_path / "again", "--json"]
    command = [*alone, sys.executable, "-m", "mlpack_toolkit", *again]
    done = subprocess.run(command, capture_output=True, text=True, env=_without_network())
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["golden"]["same_bits"] == told["golden"]["cases"] >= 4
    assert told["differs"] == []
    assert "1.8.0" in run(tmp_path / "again" / "bin" / "python", "import sklearn; print(sklearn.__version__)", tmp_path)


@pytest.mark.slow
def test_on_another_processor_equal_in_other_bits(vendored: Path, tmp_path: Path) -> None:
    """Another kernel of linear algebra, and numpy without newer instructions: as on an older processor."""
    recorded = kernels(open_bundle(vendored).json("evidence/measurements/machine.json")["libraries"])
    kernel = "Nehalem" if "Haswell" in recorded or "SkylakeX" in recorded else "Prescott"
    env = {**_without_network(), "OPENBLAS_CORETYPE": kernel, "NPY_DISABLE_CPU_FEATURES": NUMPY}
    program = [sys.executable, "-m", "mlpack_toolkit"]
    checked = subprocess.run([*program, "verify", vendored], capture_output=True, text=True, env=env)
    assert checked.returncode == 0, checked.stderr
    done = subprocess.run(
        [*program, "reproduce", vendored, "--into", tmp_path / "again"], capture_output=True, text=True, env=env
    )
    assert done.returncode == 0, done.stderr
    assert "equal within the tolerance, with other bits: another processor or linear algebra kernel" in done.stdout
    there = "Katmai" if kernel == "Prescott" else kernel
    assert re.search(rf"not as recorded: linear algebra by OpenBLAS {there}.* for {recorded}\n", done.stdout)


def _may_unshare() -> bool:
    return subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0


def _without_network() -> dict[str, str]:
    import os

    return {**os.environ, "UV_OFFLINE": "1", "PYTHONPATH": str(Path(__file__).parents[3])}


def test_what_is_there_is_not_overwritten(vendored: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists already: give another folder"):
        reproduce(vendored, tmp_path, None, ())


def test_a_tampered_wheel_is_refused_and_nothing_stays(vendored: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(vendored, bundle)
    wheel = next((bundle / "environment/python/wheels").glob("joblib-*.whl"))
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"x")
    with pytest.raises(DamagedError, match=wheel.name):
        reproduce(bundle, tmp_path / "again", None, ())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle"]


def test_a_tampered_wheel_whose_digest_the_manifest_was_given_is_refused_too(vendored: Path, tmp_path: Path) -> None:
    """The lock has a digest of its own."""
    from mlpack_toolkit.packager.environments import rebuild

    bundle = tmp_path / "bundle"
    shutil.copytree(vendored, bundle)
    wheel = next((bundle / "environment/python/wheels").glob("joblib-*.whl"))
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"x")
    wanted = open_bundle(bundle).json("environment/python/environment.json")
    with pytest.raises(DamagedError, match=f"{wheel.name} is not the one"):
        rebuild(bundle / "environment/python", wanted, tmp_path / "again", None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle"]


def test_interrupted_nothing_stays(vendored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*ignored: object) -> None:
        assert next(path.name for path in tmp_path.iterdir()).endswith(".partial")
        raise KeyboardInterrupt

    monkeypatch.setattr("mlpack_toolkit.packager.environments.python.rebuild._install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        reproduce(vendored, tmp_path / "again", None, ())
    assert not list(tmp_path.iterdir())


def test_another_processor_is_told(vendored: Path) -> None:
    wanted = open_bundle(vendored).json("environment/python/environment.json")
    here = Interpreter("python", wanted["interpreter"]["version"], True)
    before = open_bundle(vendored).json("evidence/measurements/machine.json")
    assert _otherwise(wanted, before, here) == []
    elsewhere = _otherwise({**wanted, "libc": "glibc 2.17"}, {**before, "cpu": "Z80"}, replace(here, exact=False))
    assert [line.partition(" for ")[2][:11] for line in elsewhere] == [here.version, "glibc 2.17", "Z80 (or one"]


def test_an_interpreter_that_is_not_here() -> None:
    with pytest.raises(EnvironmentFault, match=r"there is no CPython 3\.2 here \(found: .*install 3\.2\.1"):
        find_interpreter({"implementation": "CPython", "version": "3.2.1"}, None)
    with pytest.raises(EnvironmentFault, match="there is no PyPy"):
        find_interpreter({"implementation": "PyPy", "version": "3.11.1"}, sys.executable)
    with pytest.raises(MissingToolError, match="the interpreter /nowhere/python cannot be started"):
        find_interpreter({"implementation": "CPython", "version": "3.11.1"}, "/nowhere/python")


def test_the_same_minor_version_serves_and_is_told() -> None:
    version = "{}.{}.99".format(*sys.version_info)
    found = find_interpreter({"implementation": "CPython", "version": version}, sys.executable)
    assert not found.exact and found.path == sys.executable


@pytest.mark.slow
def test_an_old_python_with_an_old_scikit_learn(tmp_path: Path) -> None:
    """Its scikit-learn is of 2022, and it has nothing that converts: mlpack's own does."""
    found = sorted(Path.home().glob(".pyenv/versions/3.10.*/bin/python"))
    if not found and not debian.offers("3.9"):
        pytest.skip("there is no old Python to be had here")
    python = found[0] if found else debian.fetched("3.9")
    version = run(python, "import platform; print(platform.python_version())", tmp_path).strip()
    old = environment(tmp_path / "old", "scikit-learn==1.1.3", "numpy==1.23.5", python=str(python))
    bundle = made_by(old, tmp_path, vendor=False)
    told = reproduce(bundle, tmp_path / "again", None, ())
    assert told["golden"]["same_bits"] == told["golden"]["cases"] >= 4
    assert told["interpreter"]["wanted"] == version
    assert told["interpreter"]["found"].rpartition(".")[0] == version.rpartition(".")[0]
