"""Whoever changes one weight or one answer is caught three times: by `mlpack verify`, by Maven and by CTest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mlpack_toolkit import runtimes
from mlpack_toolkit.packager.bundle.layout import NAME
from mlpack_toolkit.packager.bundle.manifest import Manifest, canonical, entry_of
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.packager.errors import DamagedError, MismatchError
from tests.make import build_model, save

GOLDEN = {"cpp": "case-000", "java": "GoldenTest.lambda$answersAsTheOriginalDid"}
"""What a project's tests say when a golden case is answered otherwise."""
TARGETS = tuple(GOLDEN)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bundle with both projects."""
    from sklearn.linear_model import LinearRegression

    folder = tmp_path_factory.mktemp("tamper")
    x = np.random.default_rng(0).normal(size=(60, 3))
    model = LinearRegression().fit(x, x @ [1.0, -2.0, 0.5])
    return build_model(*save(model, x, folder), folder / "dist", targets=TARGETS).bundle


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / bundle.name))


def _change_weight(path: Path) -> None:
    """One of the graph's numbers, by a thousandth; the file stays a valid graph of the same shape."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    floats = [t for t in model.graph.initializer if t.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)]
    chosen = max(floats, key=lambda t: np.prod(t.dims))
    values = numpy_helper.to_array(chosen).copy()
    values.flat[0] += 1e-3
    chosen.CopyFrom(numpy_helper.from_array(values, chosen.name))
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _change_answer(path: Path) -> None:
    """One number of a response, by a thousandth."""
    plain = json.loads(path.read_bytes())
    numbers = plain["outputs"][0]["data"]
    first = next(i for i, v in enumerate(numbers) if isinstance(v, float))
    numbers[first] += 1e-3
    path.write_text(json.dumps(plain))


CHANGES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "weight": ("model.onnx", _change_weight),
    "answer": ("case-000.response.json", _change_answer),
}


def _changed(folder: Path, change: str) -> None:
    """The change in every file of that name below `folder`."""
    name, alter = CHANGES[change]
    paths = sorted(folder.rglob(name))
    assert paths, f"{folder} holds no {name}"
    for path in paths:
        alter(path)


def _sealed(folder: Path) -> None:
    """Writes manifests that match what lies there now, as somebody who covers the traces would."""
    old = open_bundle(folder).manifest
    listed = {e.path for e in old.files}
    new = Manifest(old.facts, tuple(entry_of(folder, folder / path) for path in sorted(listed)))
    (folder / NAME).write_bytes(new.encode())
    measured = json.loads((folder / "evidence" / NAME).read_bytes())
    (folder / "evidence" / NAME).write_bytes(canonical(measured | {"identity": new.identity}))


def _verify(folder: Path) -> None:
    check_bundle(folder, (), "cpu", lambda step: None)


@pytest.mark.parametrize("change", CHANGES)
def test_verify_sees_the_digest(change: str, copy: Path) -> None:
    _verify(copy)
    _changed(copy, change)
    with pytest.raises(DamagedError, match=CHANGES[change][0]):
        _verify(copy)


@pytest.mark.parametrize("change", CHANGES)
def test_verify_sees_the_numbers_where_the_digests_were_made_to_match(change: str, copy: Path) -> None:
    _sealed(copy)
    _verify(copy)
    _changed(copy, change)
    _sealed(copy)
    with pytest.raises(MismatchError, match="does not answer like the original"):
        _verify(copy)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("change", CHANGES)
def test_verify_sees_a_change_in_a_project(change: str, target: str, copy: Path) -> None:
    _changed(copy / "deploy" / target, change)
    with pytest.raises(DamagedError, match=f"changed: deploy/{target}/.*{CHANGES[change][0]}"):
        _verify(copy)


@pytest.mark.slow
@pytest.mark.full  # `make test` has the like of one project: test_cpp, test_java
@pytest.mark.parametrize("target", TARGETS)
def test_a_projects_own_tests_see_either_change(target: str, copy: Path, tmp_path: Path) -> None:
    project = copy / "deploy" / target
    untouched = Path(shutil.copytree(project, tmp_path / "untouched"))
    assert _test(untouched, target, tmp_path / "work") == ""
    for change in CHANGES:
        altered = Path(shutil.copytree(project, tmp_path / change))
        _changed(altered, change)
        said = _test(altered, target, tmp_path / f"work-{change}")
        assert GOLDEN[target] in said, said[-2000:]


def _test(project: Path, target: str, work: Path) -> str:
    """What the first failing step says, nothing where all pass."""
    work.mkdir()
    for step in runtimes.load(target).steps(project, work):
        command = [step.tool, *step.arguments]
        environment = {**os.environ, **(step.environment or {})}
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=500)
        if done.returncode:
            return done.stdout + done.stderr
    return ""
