"""Keras and TensorFlow as a user meets them: files and folders become bundles that answer alike, or a sentence."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.commands.reproduce import _asked_again
from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.packager.environments.python.rebuild import Interpreter
from tests.conftest import Run
from tests.once import once
from tests.quick import TENSORFLOW
from tests.warm import run_mlpack

HERE = Path(__file__).parent
LONGEST = 240
"""Seconds of a program."""
pytestmark = pytest.mark.skipif(
    not TENSORFLOW, reason="needs TensorFlow: MLPACK_TENSORFLOW_PYTHON names an interpreter that has it"
)
Bundle = tuple[Path, dict[str, Any]]
Build = Callable[..., Bundle]


def asked(program: str, folder: Path, *more: str) -> str:
    """What a program prints in TensorFlow's interpreter."""
    command = [TENSORFLOW, str(HERE / program), str(folder), *more]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=LONGEST)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def models(tensorflow: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "tensorflow-models", lambda folder: asked("models.py", folder))


def given(model: str, example: str, output: Path, *more: str) -> list[str]:
    return ["build", model, "--example", example, "--python", TENSORFLOW, "-o", str(output), "--json", *more]


@pytest.fixture(scope="module")
def build_once(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The bundle that the command wrote, and the object that it printed: once a run."""

    def build(name: str, model: str, example: str, *more: str) -> Bundle:
        def fill(folder: Path) -> None:
            done = run_mlpack(*given(model, example, folder / "dist", *more), cwd=models)
            assert done.returncode == 0, done.stderr
            (folder / "said.json").write_text(done.stdout.splitlines()[-1])

        folder = once(tmp_path_factory, f"tensorflow-{name}", fill)
        said = json.loads((folder / "said.json").read_text())
        return models / said["bundle"], said

    return build


@pytest.fixture(scope="module")
def pictures(build_once: Build) -> Bundle:
    return build_once("pictures", "pictures.keras", "pictures.npy")


@pytest.fixture(scope="module")
def wide(build_once: Build) -> Bundle:
    return build_once("wide", "wide.keras", "wide.csv", "--target", "docker")


@pytest.fixture(scope="module")
def tagger(build_once: Build) -> Bundle:
    options = ("-O", "tensorflow.dynamic=tokens.1:length[1..64],mask.1:length[1..64]", "--target", "docker")
    return build_once("tagger", "tagger.keras", "words.npz", *options)


@pytest.fixture(scope="module")
def served(build_once: Build) -> Bundle:
    return build_once("served", "served", "serve.npz", "--target", "docker")


def tensors(said: dict[str, Any], side: str) -> dict[str, tuple[str, list[str | int]]]:
    return {t["name"]: (t["dtype"], t["shape"]) for t in said["signature"][side]}


def test_a_keras_file_becomes_a_bundle_that_was_tried_as_those_of_torch(pictures: Bundle) -> None:
    folder, said = pictures
    assert said["verification"]["verdict"] == "equal" and said["verification"]["precision"] == "float32"
    assert tensors(said, "inputs") == {"image": ("float32", ["N", 8, 8, 1])}
    assert tensors(said, "outputs") == {"output": ("float32", ["N", 3])}
    tried = set(said["verification"]["probes"])
    assert {"example", "batch of 0", "nan in image", "noise in image", "one missing cell in image"} <= tried, tried
    graph = (folder / "model/model.onnx").read_bytes()
    assert b"RandomUniform" not in graph and b"site-packages" not in graph
    report = (folder / "evidence/report.html").read_text()
    assert "sequential (Keras, " in report
    packages = open_bundle(folder).json("environment/python/environment.json")["distributions"]
    assert {"tensorflow_cpu", "keras"} <= {each["name"] for each in packages}


def test_rows_of_a_table_with_texts_and_missing_cells(wide: Bundle, models: Path, tmp_path: Path) -> None:
    folder, said = wide
    assert tensors(said, "inputs") == {
        "color": ("string", ["N", 1]),
        "kind": ("int64", ["N", 1]),
        "weight": ("float32", ["N", 1]),
    }
    assert tensors(said, "outputs") == {"price": ("float32", ["N", 1])}
    color = next(t for t in said["signature"]["inputs"] if t["name"] == "color")
    assert color["nullable"] and color["missing"] == ""
    kind = next(t for t in said["signature"]["inputs"] if t["name"] == "kind")
    assert kind["most"] == 4, "an Embedding of 5 takes no more"
    predict(folder, models / "wide.csv", tmp_path / "out.csv")
    prices = np.loadtxt(tmp_path / "out.csv", delimiter=",", skiprows=1)
    assert len(prices) == 6 and np.isnan(prices[2]) and np.isfinite(np.delete(prices, 2)).all()


def test_a_free_length_is_one_size_in_both_inputs(tagger: Bundle) -> None:
    _, said = tagger
    assert tensors(said, "inputs") == {"tokens": ("int32", ["N", "length"]), "mask": ("int32", ["N", "length"])}
    assert {each["name"]: each for each in said["signature"]["ranges"]}["length"] == {
        "name": "length", "least": 1, "most": 64,
    }  # fmt: skip
    assert tensors(said, "outputs") == {"output_0": ("float32", ["N", "length", 4]), "output_1": ("float32", ["N", 12])}
    assert {"only the first in mask", "none in the first row in mask"} <= set(said["verification"]["probes"])


def test_the_latest_version_of_a_folder_with_its_asset(served: Bundle) -> None:
    folder, said = served
    assert folder.name == "served-1.0.0"
    assert tensors(said, "inputs") == {"word": ("string", ["N"]), "x": ("float32", ["N", 2])}
    assert tensors(said, "outputs") == {"number": ("int64", ["N"]), "scaled": ("float32", ["N", 2])}
    assert (folder / "model/source/assets/words.txt").read_text() == "red\ngreen\n"


@pytest.mark.full
def test_one_of_several_signatures(models: Path, tmp_path: Path) -> None:
    option = ("-O", "tensorflow.signature=sums", "--target", "docker")
    done = run_mlpack(*given("served", "pairs.npz", tmp_path, *option), cwd=models)
    assert done.returncode == 0, done.stderr
    assert tensors(json.loads(done.stdout.splitlines()[-1]), "outputs") == {"sum": ("float32", ["N"])}


@pytest.mark.full
@pytest.mark.slow
def test_an_older_file_answers_like_the_new_one(pictures: Bundle, build_once: Build) -> None:
    again, _ = build_once("older", "pictures.h5", "pictures.npy", "--target", "docker")
    assert (again / "model/model.onnx").read_bytes() == (pictures[0] / "model/model.onnx").read_bytes()


@pytest.mark.slow
def test_classes_of_the_users_own_with_their_code(build_once: Build) -> None:
    folder, said = build_once("own", "own.keras", "x.npz", "--code", "code", "--target", "docker")
    assert said["verification"]["verdict"] == "equal"
    assert (folder / "model/code/own_layers.py").is_file()


@pytest.mark.full
@pytest.mark.slow
def test_a_lambda_that_the_user_allows(build_once: Build) -> None:
    _, said = build_once("lambda", "lambda.keras", "x.npz", "--allow", "keras.layers.Lambda", "--target", "docker")
    assert said["verification"]["verdict"] == "equal"


REFUSED: dict[str, tuple[int, str, tuple[str, ...]]] = {
    "lambda.keras": (3, "not trusted: keras.layers.Lambda", ("x.npz",)),
    "lambda.h5": (3, "not trusted: keras.layers.Lambda", ("x.npz",)),
    "own.keras": (3, "not trusted: own_layers.Doubled, own_layers.Plain. If", ("x.npz",)),
    "reader": (3, "not trusted: tensorflow.raw_ops.ReadFile", ("pairs.npz",)),
    "stateful.keras": (4, "the model remembers: AssignVariableOp in 'sequential_", ("pairs.npz",)),
    "served": (4, "draws random numbers (RandomStandardNormal", ("pairs.npz", "-O", "tensorflow.signature=noisy")),
    "served/3": (3, "has no signature 'none'; there are: noisy, serving_default, sums",
                 ("pairs.npz", "-O", "tensorflow.signature=none")),
    "pictures.keras": (2, "the example's 'image' has 2 dimensions, the model takes 4", ("pairs.npz",)),
    "wide.keras": (2, "the example lacks the input 'color'; it has: X", ("pairs.npz",)),
}  # fmt: skip
"""By model: the exit code, words of the message, and the example with options."""


@pytest.mark.parametrize("model", REFUSED)
def test_what_cannot_be_built_is_refused_by_name(model: str, models: Path, tmp_path: Path) -> None:
    code, words, more = REFUSED[model]
    done = run_mlpack(*given(model, *more[:1], tmp_path, *more[1:]), cwd=models)
    assert done.returncode == code, done.stderr
    assert words in done.stderr


def test_weights_of_another_file_are_refused(tmp_path: Path) -> None:
    said = json.loads(asked("linked.py", tmp_path))
    assert said.pop("own.h5") == said.pop("own.keras") == said.pop("other.h5") == ""
    assert "cannot be read as HDF5" in said.pop("damaged.h5")
    assert len(said) == 8 and all("from another file" in each and "other." in each for each in said.values()), said


def test_inspect_lists_signatures_and_layers_without_loading(models: Path, mlpack: Run) -> None:
    code, said, _ = mlpack("inspect", models / "served")
    assert code == 0 and said["kind"] == "savedmodel"
    assert (
        "serving_default: word string [?], x float32 [?, 2] -> number int64 [?], scaled float32 [?, 2]"
        in said["signatures"]
    )
    code, said, _ = mlpack("inspect", models / "pictures.keras")
    assert code == 0 and "1 x Conv2D" in said["layers"] and said["made by"].startswith("Keras 3.")


def test_the_original_gives_the_same_bits_again(wide: Bundle) -> None:
    bundle = open_bundle(wide[0])
    documents = (bundle.json(bundle.parts[0].document), bundle.json(bundle.layout.machine))
    golden, _libraries = _asked_again(bundle, Interpreter(TENSORFLOW, "", True), (), *documents)
    assert golden["cases"] > 5 and golden["same_bits"] == golden["cases"]


@pytest.mark.slow
def test_a_notebook_builds_its_own_model(models: Path) -> None:
    found = json.loads(asked("from_python.py", models, sysconfig.get_path("purelib")).splitlines()[-1])
    assert found["inputs"] == {"x": ["N", 4]} and found["bundle"].endswith("dense-1.0.0")
    check_bundle(Path(found["bundle"]), (), "cpu", lambda step: None)
    assert "a class of the running program" in found["refused"]


@pytest.mark.slow
@pytest.mark.skipif(not which("cmake") or not which("mvn"), reason="there is no CMake, or no Maven")
def test_java_and_c_replay_the_golden_cases(pictures: Bundle) -> None:
    done = check_bundle(pictures[0], ("java", "cpp"), "cpu", lambda step: None)
    assert done["golden"]["java"] == done["golden"]["cpp"] > 5
