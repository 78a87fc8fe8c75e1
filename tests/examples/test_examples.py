"""Every example trains and becomes a bundle whose golden cases replay."""

from __future__ import annotations

import importlib
import subprocess
from pathlib import Path

import pytest

from mlpack_toolkit.packager.bundle.reader import check_files, open_bundle
from mlpack_toolkit.packager.commands.verify import replay
from tests.make import build_model

ROOT = Path(__file__).parents[2]
EXAMPLES = tuple(sorted(path.parent.name for path in (ROOT / "examples").glob("*/train.py")))
FRAMEWORKS = {"catboost": "catboost", "lightgbm": "lightgbm", "onnx": "onnx", "penguins": "sklearn"}
FRAMEWORKS |= {"text": "sklearn", "user-code": "sklearn", "xgboost": "xgboost"}
QUICK = ("onnx", "penguins", "xgboost")
"""The three builds of `make check`."""


def test_every_example_is_listed() -> None:
    assert set(EXAMPLES) == set(FRAMEWORKS)


@pytest.mark.usefixtures("real_clock")
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.quick) if n in QUICK else n for n in EXAMPLES])
def test_example_becomes_a_bundle(name: str, tmp_path: Path) -> None:
    made = importlib.import_module(f"examples.{name}.train").train(tmp_path)
    model, example = made or (tmp_path / "penguins.joblib", tmp_path / "penguins.parquet")
    own = ROOT / "examples" / name / "code"
    built = build_model(model, example, tmp_path / "dist", code=(own,) if own.is_dir() else ())
    assert built.verification.equal
    bundle = open_bundle(built.bundle)
    check_files(bundle)
    assert bundle.source.framework == FRAMEWORKS[name]
    assert replay(bundle) >= 3


IN_R = {"birthweight": ("birthweight.rds", "births.csv")}


def test_every_example_in_r_is_listed() -> None:
    assert {path.parent.name for path in (ROOT / "examples").glob("*/fit.R")} == set(IN_R)


@pytest.mark.parametrize("name", IN_R)
def test_example_in_r_becomes_a_bundle(name: str, tmp_path: Path) -> None:
    script = ROOT / "examples" / name / "fit.R"
    subprocess.run(["Rscript", "--vanilla", script, tmp_path], check=True, capture_output=True, timeout=120)
    model, example = (tmp_path / file for file in IN_R[name])
    built = build_model(model, example, tmp_path / "dist", targets=None)
    assert built.verification.equal
    bundle = open_bundle(built.bundle)
    check_files(bundle)
    assert bundle.source.framework == "r"
    assert replay(bundle) >= 3
    assert "mlpack build" in script.read_text()


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_says_how_to_build_it(name: str) -> None:
    module = importlib.import_module(f"examples.{name}.train")
    assert module.__doc__ is not None
    assert "mlpack build" in module.__doc__ or name == "penguins", "the docstring gives the command"
