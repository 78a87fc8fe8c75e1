"""Bundles whose manifest has format 1, as they were written then: every command works on them."""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.converters.table import rows_of
from mlpack_toolkit.packager.archives import extract_all
from mlpack_toolkit.packager.bundle.manifest import canonical
from mlpack_toolkit.packager.bundle.reader import Bundle, check_files, open_bundle
from mlpack_toolkit.packager.bundle.replacing import check_replaceable
from mlpack_toolkit.packager.commands.bench import bench_bundle
from mlpack_toolkit.packager.commands.inspect import inspect
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.commands.prove import ProveRequest, prove_bundle
from mlpack_toolkit.packager.commands.reproduce import reproduce
from mlpack_toolkit.packager.commands.tune import tune_bundle
from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.packager.diff import diff
from mlpack_toolkit.packager.equivalence.runners import Original, check_answers
from mlpack_toolkit.packager.errors import DamagedError, EnvironmentFault
from mlpack_toolkit.packager.images import make
from mlpack_toolkit.packager.images._project import project, shipped
from mlpack_toolkit.packager.original.reload import original_worker
from mlpack_toolkit.runtimes.engine.errors import Damaged
from mlpack_toolkit.runtimes.server.bundle_info import describe
from tests.conftest import Run
from tests.packager.bundle.test_hostile import mutations
from tests.packager.conftest import Made
from tests.packager.images.conftest import needs
from tests.runtimes.server.conftest import serving

OLD = Path(__file__).parents[1] / "bundles" / "format-1"
IDENTITIES = {
    "penguins": "sha256:c315a704dcaa1847770b0818e080e36de6c38049f57ebd53415acc1ee261bd48",
    "digits": "sha256:d7caacf404a164f6315e9660ab05db71c93db513f29d0ad018a20642aab09e4b",
    "birthweight": "sha256:5ce56e8b9fb546d195e5a8e1d37f524e88b8099ab96b5caa05d5df9ae462e552",
}
R = shutil.which("Rscript")


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of the bundles by name, unpacked."""
    folder = tmp_path_factory.mktemp("format-1")
    for name in IDENTITIES:
        with tarfile.open(OLD / f"{name}.tar.xz") as archive:
            extract_all(archive, folder)
    return {name: folder / name for name in IDENTITIES}


@pytest.fixture(params=list(IDENTITIES))
def folder(request: pytest.FixtureRequest, old: dict[str, Path]) -> Path:
    return old[request.param]


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(folder, tmp_path / folder.name))


def example(bundle: Bundle) -> Any:
    """The golden case of the example's rows."""
    return next(case for case in bundle.golden() if case.probe == "example")


def silent(step: str) -> None:
    """Takes no notice of a step."""


def test_verify_with_a_target(folder: Path, mlpack: Run) -> None:
    """The target's project is the one that the bundle brings, with the server of its time, which needs uvicorn."""
    code, found, error = mlpack("verify", folder, "--target", "docker")
    if find_spec("uvicorn") is None:
        assert code == 9 and "the package uvicorn" in error and "pip install uvicorn" in error
        code, found, error = mlpack("verify", folder)
        assert code == 0 and found["identity"] == IDENTITIES[folder.name], error
        return
    assert code == 0, error
    cases = len(list((folder / "golden").glob("*.request.json")))
    assert found["identity"] == IDENTITIES[folder.name]
    assert found["golden"] == {"CPUExecutionProvider": cases, "docker": cases}


def test_inspect(folder: Path) -> None:
    facts, plain = inspect(folder), json.loads((folder / "manifest.json").read_bytes())
    assert facts["bundle"] == f"{folder.name} 1.0.0" and facts["identity"] == IDENTITIES[folder.name]
    assert facts["precision"] == plain["precision"] and facts["files"] == len(plain["files"])
    assert facts["model"] == f"{plain['title']} ({plain['framework']}), {plain['source']}"
    assert len(facts["inputs"]) == len(plain["signature"]["inputs"]) and facts["distributions"]
    assert facts["verification"].startswith("equal: ")


def test_predict(old: dict[str, Path], tmp_path: Path) -> None:
    """The example's rows give the answers that the original gave them."""
    for name in ("penguins", "birthweight"):
        case = example(open_bundle(old[name]))
        cells = zip(*map(_cells, case.rows.values()), strict=True)
        rows = [dict(zip(case.rows, row, strict=True)) for row in cells]
        (tmp_path / "rows.json").write_text(json.dumps(rows))
        assert predict(old[name], tmp_path / "rows.json", tmp_path / "out.npz")["rows"] == len(rows)
        answers = np.load(tmp_path / "out.npz")
        first, values = next(iter(case.answers.items()))
        got = answers[first] if first in answers else answers[f"{first}.0"]
        assert np.array_equal(got, values) if values.dtype.kind == "O" else np.allclose(got, values, rtol=1e-5)
    case = example(open_bundle(old["digits"]))
    np.savez(tmp_path / "rows.npz", **case.rows)
    predict(old["digits"], tmp_path / "rows.npz", tmp_path / "out.npz")
    assert np.array_equal(np.load(tmp_path / "out.npz")["digit"], case.answers["digit"])


def _cells(column: Any) -> list[Any]:
    return [None if cell is None or cell != cell else cell for cell in column.ravel().tolist()]


def test_serve(folder: Path) -> None:
    with serving(folder) as server:
        assert server.facts["identity"] == IDENTITIES[folder.name]
        case = example(open_bundle(folder))
        request = (folder / "golden" / f"{case.identifier}.request.json").read_bytes()
        reply = server.post(f"/v2/models/{folder.name}/infer", request)
    assert reply.status == 200, reply.body
    got = {each["name"]: each["data"] for each in reply.json["outputs"]}
    for name, values in case.answers.items():
        if values.dtype.kind == "f":
            assert np.allclose(got[name], values.ravel(), rtol=1e-5)
        else:
            assert got[name] == values.ravel().tolist()


def test_bench(folder: Path) -> None:
    found = bench_bundle(folder, None, sys.executable, 0.01)
    assert [each["batch"] for each in found["graph"]] == [1, 8, 64, 1000] and not found["original"]


def test_prove_and_tune(old: dict[str, Path]) -> None:
    """Proved like any other; the old format has no place for the proof."""
    facts = prove_bundle(old["digits"], ProveRequest(("cpu",), seconds=0.002))
    (proof,) = facts["proofs"]
    assert proof["golden"] == 4 and "page" not in facts and "takes no evidence" in proof["not_written"]
    assert "takes no evidence" in tune_bundle(old["digits"], None, 1, 0.02)["not_written"]


@pytest.mark.parametrize("name", ["digits", "birthweight"])
def test_the_original_answers_again(name: str, old: dict[str, Path]) -> None:
    """By `bench --against original`'s and `reproduce`'s own way to it: model, options and signature are found."""
    if name == "birthweight" and R is None:
        pytest.skip("NOT TESTED: Rscript is not installed: apt-get install -y r-base-core")
    bundle = open_bundle(old[name])
    with original_worker(bundle, sys.executable, (), {"r": {"rscript": R}} if R else {}) as (worker, loaded, scratch):
        original, axes = Original(worker, scratch, bundle.signature), bundle.signature.batch_axes
        for case in bundle.golden():
            if not case.error and rows_of(case.rows, axes):
                check_answers(original, case)
    assert loaded.framework == bundle.manifest.facts["framework"]


def test_diff(old: dict[str, Path], flowers: Made) -> None:
    assert diff(old["digits"], old["digits"])["same"]
    across = diff(old["penguins"], flowers.folder)
    assert across["environment"]["distributions"]["changed"] and across["variants"]["changed"]["reference"]
    assert "environment/python/pylock.toml" in across["files"]["added"]
    found = diff(old["penguins"], old["birthweight"])
    fields = {each["field"] for each in found["bundle"]}
    assert not found["same"] and {"name", "framework", "title", "source", "source sha256"} <= fields
    assert {each["field"]: (each["from"], each["to"]) for each in found["signature"]["facts"]}["precision"] == (
        "float32",
        "float64",
    )
    assert found["environment"]["interpreter"] and found["environment"]["distributions"]["added"]


def test_reproduce_r(old: dict[str, Path], tmp_path: Path) -> None:
    """From R's own packages: no network is needed."""
    if R is None:
        pytest.skip("NOT TESTED: Rscript is not installed: apt-get install -y r-base-core")
    try:
        found = reproduce(old["birthweight"], tmp_path / "again", None, ())
    except EnvironmentFault as error:
        assert "there is no R 4.2" in str(error)
    else:
        assert found["golden"]["cases"] >= 4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["penguins", "digits"])
def test_reproduce(name: str, old: dict[str, Path], tmp_path: Path) -> None:
    """The very wheels of the lock, from the index."""
    found = reproduce(old[name], tmp_path / "again", None, ())
    assert found["golden"]["cases"] >= 3 and found["interpreter"]["wanted"] == "3.11.7"


def test_the_project_of_an_image(folder: Path) -> None:
    bundle = open_bundle(folder)
    assert {"manifest.json", "model/model.onnx"} < set(shipped(bundle))
    assert project(bundle, "docker")["Dockerfile"] == folder / "deploy" / "docker" / "Dockerfile"
    assert "CMakeLists.txt" in project(bundle, "native")


@pytest.mark.slow
def test_image(old: dict[str, Path], tmp_path: Path) -> None:
    for tool in ("apt-get", "dpkg"):
        needs(tool)
    facts = make(old["penguins"], None, None, tmp_path / "image.tar", "debian", False, silent)
    assert facts["tag"] == "penguins:1.0.0" and Path(facts["archive"]).stat().st_size == facts["bytes"]


def damaged(own: Path) -> Iterator[tuple[str, str]]:
    """Damages one file after the other: the path, and the word that it is damaged by."""
    for path in ("golden/case-000.request.json", "measurements/machine.json", "reports/report.html"):
        before = (own / path).read_bytes()
        (own / path).write_bytes(before[:-1] + b"x")
        yield path, "changed"
        (own / path).write_bytes(before)
    for path in ("measurements/own.json", "evidence/own.json", "own"):
        (own / path).parent.mkdir(exist_ok=True)
        (own / path).write_text("{}")
        yield path, "extra"
        (own / path).unlink()
    (own / "evidence").rmdir()
    (own / "environment" / "environment.json").unlink()
    yield "environment/environment.json", "missing"


def test_damage_is_found(own: Path) -> None:
    """Format 1 has no place for files of others."""
    check_files(open_bundle(own))
    for path, word in damaged(own):
        with pytest.raises(DamagedError, match=rf"{word}: .*{path}"):
            check_bundle(own, (), "cpu", silent)


def test_whatever_a_manifest_of_format_1_says(own: Path) -> None:
    """It is refused by a sentence, or every value that is made of it is there; the server turns it down alike."""
    plain, opened = json.loads((own / "manifest.json").read_bytes()), 0
    for place, value, mutated in mutations(plain, 300):
        (own / "manifest.json").write_bytes(canonical(mutated))
        try:
            bundle = open_bundle(own)
        except DamagedError as error:
            assert str(error), (place, value)
        else:
            opened += 1
            assert bundle.variant().signature == bundle.signature and bundle.source.path and bundle.parts[0].folder
            assert bundle.in_short["name"] == bundle.name == describe(own).name, (place, value)
        try:
            describe(own)
        except Damaged as error:
            assert str(error), (place, value)
    assert 3 < opened < 150


def test_it_can_be_replaced(folder: Path) -> None:
    """`build --overwrite` takes it for a bundle."""
    check_replaceable(folder)
