"""`benchmarks/gpu.py` on the CPU provider: the script of a GPU session, tried where there is no GPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.quick import TORCH

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
TINY = ("--provider", "cpu", "--tiny", "--no-compile", "--batches", "2")
NAMES = ["ResNet-50", "BERT-base, 128 tokens", "GPT-2 small, 1 token, cache of 128"]
HIDING = f"""
import runpy, sys
from importlib.machinery import PathFinder
class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = name.split(".")[0] in ("onnx", "onnxscript", "onnx_ir")
        return None if hidden else PathFinder.find_spec(name, path, target)
sys.meta_path = [Without if each is PathFinder else each for each in sys.meta_path]
sys.argv = [{str(SCRIPT)!r}, *sys.argv[1:]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs the script where the packages onnx and onnxscript are not installed."""


def ran(folder: Path, *given: str, code: int = 0, python: str = TORCH) -> tuple[dict[str, Any], str]:
    """The object on the last line, and what was printed before it and as an error."""
    done = subprocess.run([python, *given], cwd=folder, capture_output=True, text=True, timeout=400)
    assert done.returncode == code, done.stderr
    lines = done.stdout.splitlines()
    return json.loads(lines[-1]) if lines else {}, done.stdout + done.stderr


def test_a_provider_that_is_absent_is_exit_9(tmp_path: Path) -> None:
    _, said = ran(tmp_path, str(SCRIPT), "--provider", "cuda", code=9, python=sys.executable)
    assert "this ONNX Runtime has no CUDAExecutionProvider: pip install onnxruntime-gpu" in said


@pytest.mark.slow
@pytest.mark.skipif(not TORCH, reason="needs torch: MLPACK_TORCH_PYTHON names an interpreter that has it")
def test_it_checks_itself_with_torch_alone(tmp_path: Path) -> None:
    found, said = ran(tmp_path, "-c", HIDING, *TINY, "--out", str(tmp_path / "out.json"))
    assert found == json.loads((tmp_path / "out.json").read_text())
    assert found["exporter"] == "torchscript" and not found["failed"] and found["tiny"]
    assert found["smoke"]["passed"] and set(found["smoke"]["nodes"]) == {"CPUExecutionProvider"}
    errors = {(row["model"], row["form"]): row["error / scale"] for row in found["equivalence"]}
    assert list(errors) == [(name, form) for name in NAMES for form in ("float32", "float16")]
    assert all(0 < error < (2e-6 if form == "float32" else 5e-3) for (_, form), error in errors.items())
    assert all(errors[name, "float16"] > errors[name, "float32"] for name in NAMES)
    sides = {(row["model"], row["side"]) for row in found["latency"]}
    assert sides == {(n, s) for n in NAMES for s in ("graph, float32", "graph, float16", "torch, float32")}
    assert all(0 < row["p50 ms"] <= row["p99 ms"] and row["batch"] == 2 for row in found["latency"])
    skipped = {each["what"]: each["why"] for each in found["skipped"]}
    assert "no TF32" in skipped["ResNet-50, TF32"] and f"{NAMES[2]}, torch.compile, batch 2" in skipped
    assert found["before"]["gpu"] is None and found["before"]["nvidia-smi"] is None, "nothing is made up"
    assert "| ResNet-50 | float16 |" in said


@pytest.mark.slow
@pytest.mark.skipif(not TORCH, reason="needs torch: MLPACK_TORCH_PYTHON names an interpreter that has it")
def test_the_newer_exporter_and_a_run_out_of_time(tmp_path: Path) -> None:
    found, _ = ran(tmp_path, str(SCRIPT), *TINY, "--model", "gpt2", "--model", "bert", "--seconds", "0.1")
    assert found["exporter"] == "dynamo" and found["smoke"]["passed"] and not found["equivalence"]
    assert [each["why"] for each in found["skipped"]] == ["no time left"] * 2
