"""Steps of the user's own through the whole build: trusted by `--code`, converted by their graphs, proved as ever."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.packager.built import Built
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.errors import ConversionError, MismatchError, ModelError, UntrustedError
from mlpack_toolkit.packager.original.reload import original_worker
from tests.make import build_model, save
from tests.seal import seal

Run = Callable[..., tuple[int, dict[str, Any], str]]
ROOT = Path(__file__).parents[2]
STEPS = """
import numpy as np

def logs(x):
    return np.column_stack([np.log1p(np.abs(x)), np.where(x[:, 0] > 0.5, 1.0, 0.0)])

def ranks(x):
    return x.argsort(axis=0).astype(float)

class Halved:
    def fit(self, x, y=None):
        self.n_features_in_ = x.shape[1]
        return self
    def __sklearn_tags__(self):
        from sklearn.base import BaseEstimator
        return BaseEstimator().__sklearn_tags__()
    def transform(self, x):
        return np.asarray(x) / 2
"""
GRAPH = """
    def to_onnx_graph(self, graph, frame):
        x = graph.matrix(frame)
        return graph.block(graph.op("Mul", x.name, graph.const([[FACTOR] * x.width])), x.width)
"""
REGISTRY = """
from pathlib import Path

def halved(fitted, graph, frame):
    x = graph.matrix(frame)
    return graph.block(graph.op("Mul", x.name, graph.const([[0.5] * x.width])), x.width)

STEPS = {"steps.Halved": halved}
"""
TRAIN = """
import sys
import joblib, numpy as np, steps
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

x = np.random.default_rng(0).normal(size=(60, 3))
np.save(sys.argv[1] + "/x.npy", x)
models = {
    "halved": make_pipeline(steps.Halved(), Ridge()),
    "alone": steps.Halved(),
    "logs": make_pipeline(FunctionTransformer(steps.logs), steps.Halved(), Ridge()),
    "ranks": make_pipeline(FunctionTransformer(steps.ranks), Ridge()),
}
for name, model in models.items():
    joblib.dump(model.fit(x, x[:, 0]), f"{sys.argv[1]}/{name}.joblib")
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models whose module lies elsewhere."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "code").mkdir()
    (folder / "code/steps.py").write_text(STEPS)
    paths = os.pathsep.join([str(folder / "code"), str(ROOT)])
    command = [sys.executable, "-c", TRAIN, str(folder)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"})
    return folder


def code(folder: Path, graph: str = "", registry: str = "") -> Path:
    """The user's modules as they are at the build."""
    (folder / "code").mkdir()
    (folder / "code/steps.py").write_text(STEPS + graph)
    if registry:
        (folder / "code/mlpack_converters.py").write_text(registry)
    return folder / "code"


def made(trained: Path, name: str, out: Path, **more: Any) -> Built:
    return build_model(trained / f"{name}.joblib", trained / "x.npy", out / "dist", **more)


def test_a_function_of_numpy_needs_nobodys_word(tmp_path: Path) -> None:
    from sklearn.preprocessing import FunctionTransformer

    x = np.random.default_rng(0).random((40, 2))
    assert build_model(*save(FunctionTransformer(np.log1p).fit(x), x, tmp_path), tmp_path / "dist").verification.equal


def test_a_step_by_its_method(trained: Path, mlpack: Run, tmp_path: Path) -> None:
    """Built, packed, and asked again from the bundle: there the builder's modules need the caller's word."""
    own = code(tmp_path, GRAPH.replace("FACTOR", "0.5"))
    with pytest.raises(UntrustedError, match=r"steps\.Halved, steps\.logs"):
        made(trained, "logs", tmp_path)
    bundle = open_bundle(made(trained, "logs", tmp_path, code=(own,)).bundle)
    assert (bundle.place / "model/code/steps.py").is_file()
    again = ("bench", bundle.place, "--against", "original", "--seconds", "0.01")
    got, said, _ = mlpack(*again)
    assert got == 3 and said["error"]["names"] == ["steps.Halved", "steps.logs"]
    got, _, error = mlpack(*again, "--allow", "steps")
    assert got == 0, error


@pytest.mark.parametrize("name", ["halved", "alone"])
def test_a_step_by_its_registration(name: str, trained: Path, tmp_path: Path) -> None:
    assert made(trained, name, tmp_path, code=(code(tmp_path, registry=REGISTRY),)).verification.equal


@pytest.mark.parametrize(("name", "what"), [("halved", "Halved"), ("alone", "Halved"), ("ranks", "argsort")])
def test_without_a_graph_the_ways_are_named(name: str, what: str, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError) as caught:
        made(trained, name, tmp_path, code=(code(tmp_path),))
    for way in (what, "do this step before the model", "to_onnx_graph", "mlpack_converters.py"):
        assert way in str(caught.value)


def test_a_wrong_graph_is_found(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(MismatchError):
        made(trained, "halved", tmp_path, code=(code(tmp_path, GRAPH.replace("FACTOR", "0.5001")),))


def test_a_broken_registration_is_named(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"mlpack_converters\.py cannot be imported: ZeroDivisionError"):
        made(trained, "halved", tmp_path, code=(code(tmp_path, registry="1 / 0"),))


def test_nothing_of_the_users_runs_before_the_file_is_trusted(tmp_path: Path) -> None:
    """Their modules may import what a hostile file would like to reach through them."""
    marker = tmp_path / "ran"
    touch = f"from pathlib import Path; Path({str(marker)!r}).touch()\nfrom os import system\n"
    own = code(tmp_path, touch, touch + REGISTRY)
    (tmp_path / "m.pkl").write_bytes(b"csteps\nsystem\n(Vecho\ntR.")
    np.save(tmp_path / "x.npy", np.eye(3))
    with pytest.raises(UntrustedError, match=r"not trusted: steps\.system"):
        build_model(tmp_path / "m.pkl", tmp_path / "x.npy", tmp_path / "dist", code=(own,))
    assert not marker.exists()


def test_a_bundles_modules_do_not_pose_as_a_package(tmp_path: Path) -> None:
    """A stranger's bundle whose model passes the scan: the module beside it must not be what the loader finds."""
    from sklearn.linear_model import LinearRegression

    x = np.random.default_rng(0).normal(size=(30, 2))
    model, example = save(LinearRegression().fit(x, x[:, 0]), x, tmp_path)
    (tmp_path / "posing/joblib").mkdir(parents=True)
    marker = tmp_path / "ran"
    (tmp_path / "posing/joblib/__init__.py").write_text(f"from pathlib import Path; Path({str(marker)!r}).touch()\n")
    bundle = open_bundle(build_model(model, example, tmp_path / "dist").bundle)
    shutil.copytree(tmp_path / "posing", bundle.place / "model/code")
    seal(bundle.place)
    bundle = open_bundle(bundle.place)
    with original_worker(bundle, sys.executable, ()) as (_, loaded, _):
        assert loaded.framework == "sklearn"
    assert not marker.exists()
