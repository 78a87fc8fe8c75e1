"""Bounds of whole numbers and of sizes, found by asking; rules for floats that the original refuses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpack_toolkit.converters.spec import Range, Signature, Table, TensorSpec
from mlpack_toolkit.packager.equivalence.others import NotAsked, answered
from mlpack_toolkit.packager.equivalence.tensor_rules import bounded, ruled
from mlpack_toolkit.packager.errors import ModelError
from mlpack_toolkit.runtimes.engine.rules import violations

IDS = TensorSpec("ids", "int64", ("N", "length"))
IMAGE = TensorSpec("image", "float32", ("N", 2))
OUTPUT = TensorSpec("y", "float32", ("N",))
ROWS: Table = {"ids": np.array([[3, 4, 5], [5, 4, 3]]), "image": np.ones((2, 2), np.float32)}


def _signature(*inputs: TensorSpec) -> Signature:
    return Signature("graph", inputs, (OUTPUT,))


def _original(fits: Callable[[Table], bool]) -> Callable[[Table], Table]:
    def ask(batch: Table) -> Table:
        if not fits(batch):
            raise ModelError("index out of range")
        return {"y": np.zeros(len(next(iter(batch.values()))), np.float32)}

    return ask


@settings(max_examples=40, deadline=None)
@given(st.integers(-(2**63), 3), st.integers(5, 2**63 - 1))
def test_the_least_and_the_most_number(least: int, most: int) -> None:
    asked = []

    def fits(batch: Table) -> bool:
        asked.append(batch)
        return bool(((batch["ids"] >= least) & (batch["ids"] <= most)).all())

    (found,) = bounded(_signature(IDS), ROWS, _original(fits)).inputs
    assert (found.least, found.most) == (least if least > -(2**63) else None, most if most < 2**63 - 1 else None)
    assert len(asked) < 4 * 64 + 100


@pytest.mark.parametrize(("least", "most"), [(0, None), (1, None), (2, None), (0, 5), (2, 6)])
def test_the_sizes_of_a_dimension(least: int, most: int | None) -> None:
    allowed = Range("length", least, most)
    ranges = bounded(_signature(IDS), ROWS, _original(lambda b: b["ids"].shape[1] in allowed)).ranges
    assert ranges == (() if (least, most) == (0, None) else (allowed,))


def test_a_dimension_of_multiples_alone_has_no_range() -> None:
    assert bounded(_signature(IDS), ROWS, _original(lambda b: b["ids"].shape[1] % 3 == 0)).ranges == ()


def test_an_answer_of_another_rank_is_none() -> None:
    def ask(batch: Table) -> Table:
        return {"y": np.zeros(len(batch["ids"]) or (), np.float32)}

    assert bounded(_signature(IDS), ROWS, ask).ranges == (Range("N", 1),)


def test_an_original_that_died_too_often_bounds_nothing() -> None:
    def ask(batch: Table) -> Table:
        raise NotAsked("not asked")

    assert bounded(_signature(IDS), ROWS, ask) == _signature(IDS)


@pytest.mark.parametrize(
    ("fits", "nullable", "limit"),
    [
        (lambda x: not np.isnan(x).any(), False, None),
        (lambda x: bool(np.isfinite(x).all()), False, float(np.finfo("float32").max)),
        (lambda x: bool((np.abs(x) < 1e7).all() or np.isnan(x).any()), True, 1e6),
        (lambda x: True, True, None),
    ],
)
def test_floats_that_are_refused(fits: Callable[[np.ndarray], bool], nullable: bool, limit: float | None) -> None:
    signature = _signature(IMAGE)
    others = answered(signature, {"image": ROWS["image"]}, _original(lambda b: fits(b["image"])))
    (found,) = ruled(signature, others).inputs
    assert (found.nullable, found.limit) == (nullable, limit)


def test_a_batch_that_a_rule_forbids_is_not_asked() -> None:
    signature = Signature("graph", (IDS,), (OUTPUT,), ranges=(Range("N", 1),))
    asked: list[int] = []

    def ask(batch: Table) -> Table:
        asked.append(len(batch["ids"]))
        return {"y": np.zeros(len(batch["ids"]), np.float32)}

    others = answered(signature, ROWS, ask)
    empty = next(batch for batch in others if batch.kind == "size 0 of N")
    assert not empty.asked and "1 or more" in empty.refused and 0 not in asked
    assert [str(v) for v in violations(signature, empty.inputs)] == [
        f"row 0, column 'ids': {empty.refused.split(': ')[1]}"
    ]
