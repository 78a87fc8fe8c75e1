"""`mlpack build`: every way in which it stops, by its exit code and its sentence; and what it takes."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.converters.messages import Load
from mlpack_toolkit.packager.bundle.golden import Tolerance
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands.build import AT_ONCE, Request, _takes_tensors, build
from mlpack_toolkit.packager.config import build_request
from mlpack_toolkit.packager.equivalence.others import Spare
from mlpack_toolkit.packager.errors import MismatchError
from mlpack_toolkit.packager.original.source import Source
from mlpack_toolkit.packager.original.worker import Limits
from mlpack_toolkit.packager.scan.result import Scan
from tests.make import save
from tests.packager.conftest import Made

Run = Callable[..., tuple[int, dict[str, Any], str]]


def fails(mlpack: Run, code: int, *arguments: object) -> str:
    """The message of a run that ends with `code`, prints no traceback, and says the same on both streams."""
    got, said, error = mlpack(*arguments)
    assert got == code, error
    assert "Traceback" not in error and said["error"]["exit"] == code
    assert said["error"]["message"].splitlines()[0] in error
    return str(said["error"]["message"])


def test_what_it_prints(flowers: Made, mlpack: Run, tmp_path: Path) -> None:
    code, said, error = mlpack(
        "build", flowers.model, "--example", flowers.example, "--target", "cpp", "--name", "Été 1"
    )
    assert (code, error) == (0, "")
    assert list(said) == ["bundle", "identity", "signature", "verification", "latency"]
    place = tmp_path / said["bundle"]
    bundle = open_bundle(place)
    assert place == tmp_path / "dist" / "t-1-1.0.0"
    assert said["identity"] == bundle.identity
    assert said["signature"] == bundle.signature.to_json()
    assert said["verification"] == bundle.json("reports/verification.json")
    assert said["latency"] == bundle.json("evidence/measurements/latency.json")
    assert (place / "deploy" / "cpp").is_dir() and not (place / "deploy" / "java").exists()
    assert (place / "model" / "source" / flowers.model.name).read_bytes() == flowers.model.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["build"], "model is missing"),
        (["build", "MODEL"], "example is missing: mlpack build MODEL --example FILE"),
        (["build", "nowhere", "--example", "EXAMPLE"], "there is no model file nowhere"),
        (["build", "MODEL", "--example", "nowhere.csv"], "there is no file nowhere.csv"),
        (["build", "MODEL", "--example", "MODEL"], "must be csv, parquet, npz, npy, json, jsonl, txt or rds"),
        (
            ["build", "MODEL", "--example", "EXAMPLE", "--target", "cobol"],
            "there is no target 'cobol'; there are: cpp, docker, java",
        ),
        (["build", "MODEL", "--example", "EXAMPLE", "--version", "../1"], "the version '../1' must be"),
        (["build", "MODEL", "--example", "EXAMPLE", "--code", "nowhere"], "--code nowhere is not a folder"),
        (["build", "MODEL", "--example", "EXAMPLE", "--precision", "float8"], "'float8' is not one of"),
        (["build", "MODEL", "--example", "EXAMPLE", "--config", "nowhere.toml"], "there is no configuration file"),
        (["build", "MODEL", "--example", "EXAMPLE", "--no-such-option"], "No such option"),
        (["build", "MODEL", "--example", "EXAMPLE", "-o", "MODEL/below"], "cannot be written"),
        (["predict", "BUNDLE"], "Missing argument 'FILE'"),
        (["verify", "nowhere"], "nowhere is not a bundle: there is no such folder"),
        (["no-such-command"], "No such command"),
    ],
)
def test_wrong_usage(arguments: list[str], said: str, flowers: Made, mlpack: Run, tmp_path: Path) -> None:
    names = {"MODEL": str(flowers.model), "EXAMPLE": str(flowers.example), "BUNDLE": str(flowers.folder)}
    assert said in fails(mlpack, 2, *(names.get(a, a).replace("MODEL/", names["MODEL"] + "/") for a in arguments))
    assert not list(tmp_path.iterdir())


def test_a_bundle_that_is_there(flowers: Made, mlpack: Run) -> None:
    said = fails(mlpack, 2, "build", flowers.model, "--example", flowers.example, "-o", flowers.folder.parent)
    assert "exists already: give another --version or --output" in said


@pytest.mark.parametrize("rows", [np.zeros((3, 5)), np.array([["a", "b", "c", "d"]]), np.full((2, 4), np.nan)])
def test_an_example_that_does_not_fit(rows: Any, flowers: Made, mlpack: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", X=rows)
    fails(mlpack, 2, "build", flowers.model, "--example", tmp_path / "x.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]


class Gadget:
    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("touch trace",)


def test_not_trusted(flowers: Made, mlpack: Run, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Gadget()))
    said = fails(mlpack, 3, "build", tmp_path / "model.pkl", "--example", flowers.example)
    assert "posix.system can run any code" in said and "--allow" not in said
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"not a model", b"PK\x03\x04"])
def test_not_readable(content: bytes, flowers: Made, mlpack: Run, tmp_path: Path) -> None:
    (tmp_path / "model.joblib").write_bytes(content)
    assert "model.joblib" in fails(mlpack, 3, "build", tmp_path / "model.joblib", "--example", flowers.example)


def test_no_converter(mlpack: Run, tmp_path: Path) -> None:
    from sklearn.feature_extraction import FeatureHasher

    x = np.random.default_rng(0).normal(size=(20, 2))
    model, example = save(FeatureHasher().fit(x), x, tmp_path)
    assert "FeatureHasher" in fails(mlpack, 4, "build", model, "--example", example)


@pytest.fixture(scope="session")
def ids(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A line through seconds since 1970: float32 cannot tell them apart."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = 1_700_000_000 + np.random.default_rng(5).integers(0, 1000, (200, 2)).astype(float)
    fitted = make_pipeline(StandardScaler(), Ridge()).fit(x, x[:, 0] - 1_700_000_000)
    return save(fitted, x, tmp_path_factory.mktemp("ids"), "ids")


def test_the_numbers_differ(ids: tuple[Path, Path], mlpack: Run, tmp_path: Path) -> None:
    model, example = ids
    arguments = ("build", model, "--example", example, "--target", "cpp", "--precision", "float32")
    code, said, error = mlpack(*arguments)
    assert code == 5, error
    assert "does not answer like the original" in said["error"]["message"]
    assert "): leave out --precision" in said["error"]["message"] and "--keep-failed" in said["error"]["message"]
    worst = said["error"]["worst"]
    assert worst and all(set(row) == {"probe", "inputs", "expected", "got"} for row in worst)
    assert "expected" in error and "got" in error
    assert not (tmp_path / "dist").exists() or not list((tmp_path / "dist").iterdir())


def test_what_failed_is_kept_on_request(ids: tuple[Path, Path], tmp_path: Path) -> None:
    model, example = ids
    with pytest.raises(MismatchError) as caught:
        build(Request(model, example, tmp_path / "dist", targets=(), precision="float32", keep_failed=True))
    kept = tmp_path / "dist" / "ids-1.0.0.failed"
    assert caught.value.facts["kept"] == str(kept)
    assert json.loads((kept / "error.json").read_text())["exit"] == 5
    assert {"model.float32.onnx", "probes.npz", "answers.npz"} <= {p.name for p in kept.iterdir()}
    assert [p.relative_to(kept).as_posix() for p in (kept / "graphs").rglob("*.onnx")] == ["graphs/1/model.onnx"]
    assert [p.name for p in (tmp_path / "dist").iterdir()] == [kept.name]


def test_float64_is_chosen_for_ids(ids: tuple[Path, Path], tmp_path: Path) -> None:
    built = build(Request(*ids, tmp_path / "dist", targets=()))
    assert built.verification.precision == "float64"
    assert "float32" in built.verification.tried


def test_the_latency_gate(flowers: Made, mlpack: Run, tmp_path: Path) -> None:
    given = ("build", flowers.model, "--example", flowers.example, "--max-p99", 0.0000001)
    code, said, error = mlpack(*given)
    assert code == 6, error
    assert said["error"]["p99_ms"] > said["error"]["max_p99_ms"]
    assert "above the gate" in error and not (tmp_path / "dist").exists()


@pytest.mark.parametrize("python", ["/nowhere/python", "no-such-python"])
def test_no_interpreter(python: str, flowers: Made, mlpack: Run) -> None:
    said = fails(mlpack, 9, "build", flowers.model, "--example", flowers.example, "--python", python)
    assert f"the interpreter {python} cannot be started" in said


def test_an_interpreter_without_the_models_packages(flowers: Made, mlpack: Run, tmp_path: Path) -> None:
    import venv

    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare" / "bin" / "python"
    said = fails(mlpack, 3, "build", flowers.model, "--example", flowers.example, "--python", python)
    assert "needs the module 'joblib'" in said and "--python PATH" in said


CONFIG = """
[build]
model = "model.joblib"
example = "x.npy"
output = "out"
name = "configured"
version = "2.3.4"
target = []
rtol = 1e-3
"""


@pytest.fixture
def configured(flowers: Made, tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "model.joblib").write_bytes(flowers.model.read_bytes())
    (folder / "x.npy").write_bytes(flowers.example.read_bytes())
    (folder / "mlpack.toml").write_text(CONFIG)
    return folder / "mlpack.toml"


def test_paths_are_relative_to_the_configuration(configured: Path, mlpack: Run) -> None:
    code, said, error = mlpack("build", "--config", configured)
    assert code == 0, error
    bundle = open_bundle(configured.parent / "out" / "configured-2.3.4")
    assert said["identity"] == bundle.identity
    assert bundle.proof().tolerances["probabilities"] == Tolerance(1e-3, 1e-6)
    assert bundle.proof().user_tolerance is True
    assert not (bundle.place / "deploy").exists()


def test_the_command_line_wins(configured: Path, tmp_path: Path) -> None:
    asked = build_request(configured, {"version_": "9", "output": tmp_path / "mine", "rtol": None, "targets": ()})
    assert (asked.version, asked.output, asked.rtol) == ("9", tmp_path / "mine", 1e-3)
    assert (asked.name, asked.targets, asked.model) == ("configured", (), configured.parent / "model.joblib")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("colour = 'red'", "unknown key 'colour' in [build]; there are: allow, argument, atol, code"),
        ("precision = 'float8'", "float8"),
        ("version = 3", "'version' in [build] has the wrong type: 3"),
        ("code = 'folder'", "'code' in [build] has the wrong type"),
        ("rtol = true", "'rtol' in [build] has the wrong type"),
        ('lock = "nowhere.lock"', "there is no lock file"),
        ("= 3", "is not TOML"),
    ],
)
def test_a_wrong_configuration(line: str, said: str, configured: Path, mlpack: Run) -> None:
    lines = [given for given in CONFIG.splitlines() if given.split(" ")[0] != line.split(" ")[0]]
    configured.write_text("\n".join([*lines, line]))
    assert said in fails(mlpack, 2, "build", "--config", configured)


def test_a_configuration_without_the_table(configured: Path, mlpack: Run) -> None:
    configured.write_text("build = 3\n")
    assert "[build]" in fails(mlpack, 2, "build", "--config", configured)


def test_the_users_own_modules(mlpack: Run, tmp_path: Path) -> None:
    """Packed as they are, without caches, and found again when the original is loaded from the bundle."""
    from mlpack_toolkit.packager.original.reload import original_worker

    code = tmp_path / "code"
    (code / "own" / "__pycache__").mkdir(parents=True)
    (code / "own" / "__init__.py").write_text("from sklearn.linear_model import LinearRegression as Plain\n")
    (code / "own" / "__pycache__" / "x.pyc").write_bytes(b"x")
    x = np.arange(40.0).reshape(20, 2)
    # The class is found through the user's own module: without --code nothing can load it.
    from sklearn.linear_model import LinearRegression

    raw = pickle.dumps(LinearRegression().fit(x, x[:, 0]), 0)
    assert b"csklearn.linear_model._base\nLinearRegression" in raw
    (tmp_path / "m.pkl").write_bytes(raw.replace(b"csklearn.linear_model._base\nLinearRegression", b"cown\nPlain"))
    np.save(tmp_path / "x.npy", x)
    given = ("build", tmp_path / "m.pkl", "--example", tmp_path / "x.npy", "-o", tmp_path / "dist", "--target", "cpp")
    assert "own.Plain" in fails(mlpack, 3, *given)
    assert "needs the module 'own'" in fails(mlpack, 3, *given, "--allow", "own.Plain")
    code_number, said, error = mlpack(*given, "--allow", "own.Plain", "--code", code)
    assert code_number == 0, error
    bundle = open_bundle(Path(said["bundle"]))
    packed = sorted(
        p.relative_to(bundle.place / "model").as_posix() for p in (bundle.place / "model/code").rglob("*.*")
    )
    assert packed == ["code/own/__init__.py"]
    assert bundle.manifest.facts["allowed"] == ["own.Plain"]
    import sys

    with original_worker(bundle, sys.executable, ["own.Plain"]) as (_, loaded, _scratch):
        assert loaded.framework == "sklearn"


@pytest.mark.parametrize(
    ("kind", "size", "early"), [("pt2", 9, True), ("pt2", AT_ONCE + 1, False), ("pickle", 9, False), ("onnx", 9, False)]
)
def test_a_second_process_starts_with_the_first_where_the_file_says_so(
    kind: str, size: int, early: bool, tmp_path: Path
) -> None:
    path = tmp_path / "model"
    with path.open("wb") as file:
        file.truncate(size)
    assert _takes_tensors(Source((path,), Scan(kind))) is early


def test_a_process_that_was_started_is_not_started_again(tmp_path: Path) -> None:
    with Spare(sys.executable, tmp_path, Limits(), Load("no such file", "onnx")) as spare:
        assert spare.begin() is spare.begin()
