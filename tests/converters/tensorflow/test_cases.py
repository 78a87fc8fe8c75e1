"""Models at which tf2onnx goes wrong: ours is right or refuses, and each translation is needed.

All in one process of an interpreter that has TensorFlow, `MLPACK_TENSORFLOW_PYTHON`; without one they are skipped.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.listed_cases import Lines, names_in, outcomes
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


NAMES = names_in(HERE, ast.FunctionDef)
"""Those that a file of cases puts on the list."""


@pytest.fixture(scope="module")
def lines(request: pytest.FixtureRequest) -> Lines:
    """What came of the cases of this run, by name; of a case without a translation by both names."""
    if not TENSORFLOW:
        pytest.skip("MLPACK_TENSORFLOW_PYTHON names no interpreter with TensorFlow")
    items = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    chosen = [item.callspec.params for item in items]
    named = [str(each["name"]) for each in chosen if "name" in each]
    left = [f"--without={each['operator']}={NEEDED[each['operator']]}" for each in chosen if "operator" in each]
    return outcomes(TENSORFLOW, HERE / "run_cases.py", *left, *named)


def test_the_list_is_long() -> None:
    assert len(NAMES) >= 35 and len(set(NAMES)) == len(NAMES)
    assert set(NEEDED.values()) <= set(NAMES)


@pytest.mark.parametrize("name", third(NAMES))
def test_a_case_is_right_or_refused_by_name(name: str, lines: Lines) -> None:
    found = lines[name]
    if found["refused"]:
        assert found["outcome"] == "refused" and re.search(found["refused"], found["why"], re.DOTALL), found["why"]
    else:
        assert found["outcome"] == "right", found["why"]


@pytest.mark.parametrize("operator", third(NEEDED))
def test_a_translation_is_needed(operator: str, lines: Lines) -> None:
    assert lines[f"{NEEDED[operator]} without {operator}"]["outcome"] != "right"
