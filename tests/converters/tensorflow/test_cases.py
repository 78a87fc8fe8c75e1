"""Models at which tf2onnx goes wrong: ours is right or refuses, and each translation is needed.

All in one process of an interpreter that has TensorFlow, `MLPACK_TENSORFLOW_PYTHON`; without one they are skipped.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.quick import TENSORFLOW
from tests.tiers import third

HERE = Path(__file__).parent
NEEDED = {
    "FloorDiv": "floor_division",
    "FloorMod": "floor_division",
    "Bucketize": "buckets",
    "DenseBincount": "words_multi_hot_with_a_mask",
    "OneHot": "one_hot_of_numbers_outside",
    "Equal": "words_that_are_the_same",
    "LookupTableFindV2": "whole_numbers_as_places",
    "UnsortedSegmentMax": "unsorted_segments",
    "UnsortedSegmentMin": "unsorted_segments",
    "UnsortedSegmentProd": "unsorted_segments",
    "ResizeArea": "resized_to_areas",
    "ResizeBicubic": "resized",
    "ResizeBilinear": "resized",
    "MaxPool": "pooling",
    "Max": "reductions",
    "Min": "reductions",
    "Erfc": "activations",
    "Expm1": "activations",
    "Log1p": "small_numbers",
}
"""By translation of ours, a case that is not right without it."""


def _names() -> list[str]:
    """The functions that a file of cases puts on the list; read as text, for TensorFlow is elsewhere."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(HERE.glob("cases/*.py"))]
    return [n.name for tree in trees for n in tree.body if isinstance(n, ast.FunctionDef) and _listed(n)]


def _listed(node: ast.FunctionDef) -> bool:
    return any(isinstance(d, ast.Call) and ast.unparse(d.func) == "case" for d in node.decorator_list)


@pytest.fixture(scope="module")
def lines(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """What came of the cases of this run, by name; of a case without a translation by both names."""
    if not TENSORFLOW:
        pytest.skip("MLPACK_TENSORFLOW_PYTHON names no interpreter with TensorFlow")
    items = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    chosen = [item.callspec.params for item in items]
    named = [str(each["name"]) for each in chosen if "name" in each]
    left = [f"--without={each['operator']}={NEEDED[each['operator']]}" for each in chosen if "operator" in each]
    command = [TENSORFLOW, str(HERE / "run_cases.py"), *left, *named]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stderr[-2000:]
    return {found["case"]: found for found in map(json.loads, done.stdout.splitlines())}


def test_the_list_is_long() -> None:
    assert len(_names()) >= 35 and len(set(_names())) == len(_names())
    assert set(NEEDED.values()) <= set(_names())


@pytest.mark.parametrize("name", third(_names()))
def test_a_case_is_right_or_refused_by_name(name: str, lines: dict[str, dict[str, Any]]) -> None:
    found = lines[name]
    if found["refused"]:
        assert found["outcome"] == "refused" and re.search(found["refused"], found["why"], re.DOTALL), found["why"]
    else:
        assert found["outcome"] == "right", found["why"]


@pytest.mark.parametrize("operator", third(NEEDED))
def test_a_translation_is_needed(operator: str, lines: dict[str, dict[str, Any]]) -> None:
    assert lines[f"{NEEDED[operator]} without {operator}"]["outcome"] != "right"
