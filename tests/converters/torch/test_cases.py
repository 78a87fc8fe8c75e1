"""Modules at which exporters go wrong: ours is right or refuses, and each fix is needed.

All in one process of an interpreter that has torch, `MLPACK_TORCH_PYTHON`; without one they are skipped.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from tests.listed_cases import Lines, names_in, outcomes
from tests.quick import TORCH
from tests.tiers import sixth

HERE = Path(__file__).parent
NEEDED = {
    "numbers at their edges": "sign_of_nan",
    "extremes": "pools_of_nan",
    "no rows": "reductions_of_the_batch",
    "scatter": "scatter_reduce_mean",
    "bags of embeddings": "bags_at_offsets",
    "order and rank": "medians",
    "pooling": "average_pool_with_divisor",
    "nearest neighbours": "resized_by_a_fraction",
    "linear between pixels": "resized_far",
    "packed sequences": "lstm_packed",
    "recurrent layers": "lstm_projected",
    "attention": "attention_with_masked_rows",
    "as_in_eager": "encoder_padded",
    "packed_as_padded": "gru_packed_both_ways",
    "kept_whole": "plain_recurrent",
    "detectors_recorded": "masks_in_their_boxes",
}
"""By fix, a case that is not right without it."""


NAMES = names_in(HERE, ast.ClassDef)
"""Those that a file of cases puts on the list."""


@pytest.fixture(scope="module")
def lines(request: pytest.FixtureRequest) -> Lines:
    """What came of the cases of this run, by name; of a case without a fix by both names."""
    if not TORCH:
        pytest.skip("MLPACK_TORCH_PYTHON names no interpreter with torch")
    chosen = [item for item in request.session.items if item.path == request.path]
    named = [str(item.callspec.params["name"]) for item in chosen if "name" in getattr(item, "callspec", _NONE).params]
    left = [f"--without={fix}={case}" for fix, case in NEEDED.items()]
    return outcomes(TORCH, HERE / "run_cases.py", "--twice=lstm", *left, *named)


class _NONE:
    params: dict[str, Any] = {}  # noqa: RUF012


def test_the_list_is_long() -> None:
    assert len(NAMES) >= 60 and len(set(NAMES)) == len(NAMES)
    assert set(NEEDED.values()) <= set(NAMES)


@pytest.mark.parametrize("name", sixth(NAMES))
def test_a_case_is_right_or_refused_by_name(name: str, lines: Lines) -> None:
    found = lines[name]
    if found["refused"]:
        assert found["outcome"] == "refused" and re.search(found["refused"], found["why"], re.DOTALL), found["why"]
    else:
        assert found["outcome"] == "right", found["why"]
        assert not {"ScatterND add", "ScatterND max"} & set(found["operators"]), "ONNX Runtime loses some, on threads"
        assert "Pad" in found["operators"] or "median" not in name, "TopK of no rows ends ONNX Runtime 1.28's process"
        assert "Loop" not in found["operators"] or "bags" not in name, "one bag after the other is slow"


@pytest.mark.parametrize("fix", NEEDED)
def test_a_fix_is_needed(fix: str, lines: Lines) -> None:
    assert lines[f"{NEEDED[fix]} without {fix}"]["outcome"] != "right"


def test_the_same_module_gives_the_same_bytes_and_no_path(lines: Lines) -> None:
    found = lines["lstm twice"]
    assert found["same"] and found["size"] > 0
    assert found["strings"] == []
    assert found["rows"] == [1, 1, 5], "no batch has a row more, but for the empty one, which ends the process"
