"""What a build says besides its result: ignored columns, trust that was not needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlpack_toolkit.converters.spec import Cells, Signature, TensorSpec
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands.inspect import inspect
from mlpack_toolkit.packager.remarks import ignored_columns, needless_trust
from mlpack_toolkit.packager.scan import Scan

ROOT = Path(__file__).parents[2]


def signature(*inputs: TensorSpec) -> Signature:
    return Signature("classifier", inputs, ())


NAMED = signature(TensorSpec("a", "float32", ("N", 1)), TensorSpec("b", "float32", ("N", 1)))
MATRIX = signature(TensorSpec("X", "float32", ("N", 2), Cells(columns=("a", "b"))))
PLAIN = signature(TensorSpec("X", "float32", ("N", 2)))


@pytest.mark.parametrize("taken", [NAMED, MATRIX])
def test_ignored_columns(taken: Signature) -> None:
    assert ignored_columns(taken, ["a", "b"]) == ()
    assert ignored_columns(taken, ["a", "target", "b"]) == ("ignored columns: target (the model does not take them)",)
    many = ignored_columns(taken, ["a", "b", *(f"c{i}" for i in range(10))])
    assert many[0].startswith("ignored columns: c0, c1") and "c7 and 2 more" in many[0]


def test_of_a_matrix_without_names_none_is_ignored() -> None:
    assert ignored_columns(PLAIN, ["p", "q"]) == ()


ASKED = Scan("pickle", ("mine.steps.Clip", "sklearn.pipeline.Pipeline"))


@pytest.mark.parametrize("needed", ["mine", "mine.steps", "mine.steps.Clip"])
def test_trust_that_was_needed(needed: str) -> None:
    assert needless_trust(ASKED, (needed,)) == ()


def test_trust_that_was_not() -> None:
    said = needless_trust(ASKED, ("__main__.X", "sklearn.pipeline.Pipeline", "min", "mine"))
    assert said == (
        "--allow __main__.X was not needed (the file uses no such name): leave it out",
        "--allow sklearn.pipeline.Pipeline was not needed (it is on the allow-list): leave it out",
        "--allow min was not needed (the file uses no such name): leave it out",
    )


def build(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mlpack_toolkit", "build", "m.joblib", "--example", "x.csv", "--target", "cpp"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(Path.home())}
    return subprocess.run(
        [*command, *options], cwd=folder, capture_output=True, text=True, timeout=300, env=environment
    )


def test_a_build_says_both(tmp_path: Path) -> None:
    rows = pd.DataFrame({"a": np.arange(40.0), "b": np.arange(40.0) % 7})
    label = np.where(rows["a"] > 20, "yes", "no")
    joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, label), tmp_path / "m.joblib")
    rows.assign(target=label).to_csv(tmp_path / "x.csv", index=False)
    done = build(tmp_path, "--allow", "mine.X", "--max-p99", "1000")
    assert done.returncode == 0, done.stderr
    assert "\n  note       ignored columns: target (the model does not take them)\n" in done.stdout
    assert "\n  note       --allow mine.X was not needed" in done.stdout
    assert "\n  latency    p50 " in done.stdout and " ms, p99 " in done.stdout and "rpy2" not in done.stdout
    again = build(tmp_path, "--allow", "mine.X", "--overwrite", "--json")
    assert again.returncode == 0, again.stderr
    assert again.stderr.splitlines() == [
        "mlpack: note: ignored columns: target (the model does not take them)",
        "mlpack: note: --allow mine.X was not needed (the file uses no such name): leave it out",
    ]
    facts = json.loads(again.stdout)
    bundle = open_bundle(tmp_path / facts["bundle"])
    assert facts["identity"] == bundle.identity
    assert bundle.source.title == "Pipeline(StandardScaler, LogisticRegression)"
    assert inspect(bundle.place)["model"].startswith("Pipeline(StandardScaler, LogisticRegression) (sklearn)")
    report = (bundle.place / "evidence/report.html").read_text()
    assert "Pipeline(StandardScaler, LogisticRegression)" in report and bundle.identity in report
