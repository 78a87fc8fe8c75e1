"""What `mlpack verify` does with a variant that its build did not prove: here one that the CPU runs, to see it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.api.loaded import LoadedBundle
from mlpack_toolkit.packager.bundle.proofs import FOLDER as PROOFS
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands.inspect import inspect
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.packager.errors import DamagedError, UsageError
from tests.packager.conftest import Made
from tests.seal import seal


def unproved(made: Made, target: Path, most: int, **more: Any) -> Path:
    """A copy of the bundle with the variant `later`: the reference's own graph for at most `most` rows."""
    shutil.copytree(made.folder, target)
    (target / "model" / "later").mkdir()
    shutil.copy(target / "model" / "model.onnx", target / "model" / "later" / "model.onnx")
    plain = json.loads((target / "manifest.json").read_bytes())["variants"]
    reference, path = plain["reference"], "model/later/model.onnx"
    signature = {**reference["signature"], "ranges": [{"name": "N", "least": 1, "most": most}]}
    artifact = {"format": "onnx", "main": path, "files": [path]}
    plain["later"] = {**reference, "artifact": artifact, "signature": signature, "proved": False, **more}
    seal(target, variants=plain)
    return target


def test_the_cases_of_its_sizes_are_replayed_with_its_tolerances(flowers: Made, tmp_path: Path) -> None:
    folder = unproved(flowers, tmp_path / "bundle", 1)
    found = check_bundle(folder, (), None, lambda step: None, "later")
    sizes = [len(next(iter(case.rows.values()))) for case in flowers.bundle.golden() if not case.error]
    refused = sum(1 for case in flowers.bundle.golden() if case.error)
    assert 0 < sizes.count(1) < len(sizes)
    assert found["golden"] == {"later on CPUExecutionProvider": sizes.count(1) + refused}


def test_it_answers_nobody_before_a_proof_is_there(flowers: Made, tmp_path: Path) -> None:
    folder = unproved(flowers, tmp_path / "bundle", 1000)
    with pytest.raises(UsageError, match=r"not proved on any machine: run `mlpack verify bundle --variant later"):
        predict(folder, flowers.example, tmp_path / "answers.csv", "later")
    with pytest.raises(UsageError, match="not proved on any machine"):
        LoadedBundle(folder).predict(flowers.example, "later")
    (folder / "evidence" / PROOFS).mkdir(parents=True)
    (folder / "evidence" / PROOFS / "verify.later.cpu.0123456789ab.json").write_text("{}")
    assert predict(folder, flowers.example, tmp_path / "answers.csv", "later")["rows"] > 0
    (line,) = (line for line in inspect(folder)["variants"] if line.startswith("later"))
    assert line.endswith("proofs of other machines: verify.later.cpu.0123456789ab.json")


GATE = {"metric": "max_abs", "limit": 1.0, "rows": 3, "outputs": [], "sha256": "a" * 64}


def test_it_is_not_proved_while_its_gate_is_not_held(flowers: Made, tmp_path: Path) -> None:
    folder = unproved(flowers, tmp_path / "bundle", 1000, gate=GATE, tolerances={})
    with pytest.raises(UsageError, match="not proved before its gate is held: its rows are not in the bundle"):
        check_bundle(folder, (), None, lambda step: None, "later")


def test_only_such_a_variant_has_a_gate_without_a_value(flowers: Made, tmp_path: Path) -> None:
    folder = unproved(flowers, tmp_path / "bundle", 1000, gate=GATE, tolerances={}, proved=True)
    with pytest.raises(DamagedError, match="gate lacks one of value, beyond, bound"):
        open_bundle(folder)
