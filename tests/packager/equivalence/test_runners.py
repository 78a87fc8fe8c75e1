"""Runners of every kind against the same reference answers: one function compares them all."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from mlpack_toolkit.converters.spec import Table
from mlpack_toolkit.packager.bundle.golden import Tolerance
from mlpack_toolkit.packager.equivalence.compared import Compared, compare_runner, compare_runners
from mlpack_toolkit.packager.equivalence.probes import Batch
from mlpack_toolkit.packager.equivalence.runners import Graph, Original, Runner
from mlpack_toolkit.packager.equivalence.session import Session, session_of
from mlpack_toolkit.packager.original.reload import original_worker
from tests.converters.proving import held
from tests.packager.conftest import Made
from tests.packager.equivalence.test_prove import at_most, plus, probes, signature

ALLOWED = {"prediction": Tolerance(1e-9, 1e-10)}


def graph(name: str, content: bytes) -> Graph:
    return Graph(name, Session(content, signature("prediction", "float64")))


def mismatches(found: Compared) -> dict[str, int]:
    kinds = {kind: max(e.mismatches for e in outputs.values()) for kind, outputs in found.errors.items()}
    return {kind: count for kind, count in kinds.items() if count}


def test_the_original_and_its_graph_are_runners_alike(flowers: Made) -> None:
    """The model in its worker, and the graph of its bundle, asked the probes that a build asks."""
    proof = held(flowers.fitted, flowers.rows)
    allowed = proof.proven.report.tolerances
    with original_worker(flowers.bundle, sys.executable, ()) as (worker, _, scratch):
        runners: list[Runner] = [
            Original(worker, scratch, flowers.bundle.signature),
            Graph("the graph", session_of(flowers.bundle)),
        ]
        original, ours = compare_runners(runners, proof.probes, allowed)
    assert (original.runner, ours.runner) == ("the original", "the graph")
    assert original.equal and ours.equal
    assert dict(ours.errors) == dict(proof.proven.report.probes) and ours.refused == proof.proven.report.refused
    assert set(ours.errors) - set(original.errors) == {"batch of 0"}  # scikit-learn answers no rows with an error
    exact = {name: Tolerance(0.0, 0.0) for name in allowed}
    assert not compare_runner(Graph("every bit", session_of(flowers.bundle)), proof.probes, exact).equal


def test_a_large_batch_of_tensors_is_smaller_than_one_of_table_rows() -> None:
    asked = probes("prediction", lambda x: x, example=[1.0, 2.0, 3.0])
    shifted = Session(plus(0.5)("float64"), signature("prediction", "float64"))
    column = shifted.signature.inputs[0]
    shifted.signature = replace(shifted.signature, inputs=(replace(column, cells=None),))
    found = compare_runner(Graph("shifted", shifted), asked, ALLOWED)
    assert mismatches(found) == {"example": 3, "batch of 1": 3, "permuted batch": 64}


def test_of_several_runners_each_differs_where_it_does() -> None:
    asked = probes("prediction", lambda x: x, example=[1.0, 2.0, 3.0], large=[1e12])
    runners = [graph("right", plus(0.0)("float64")), graph("shifted", plus(0.5)("float64"))]
    right, shifted, capped = compare_runners([*runners, graph("capped", at_most(1e6)("float64"))], asked, ALLOWED)
    assert right.equal and not right.worst
    assert mismatches(shifted) == {"example": 3, "batch of 1": 3, "permuted batch": 3072}
    assert mismatches(capped) == {"large": 1, "batch of 1": 1, "permuted batch": 1024}
    assert capped.worst[0] == {
        "probe": "large",
        "inputs": {"X": [1e12]},
        "expected": {"prediction": 1e12},
        "got": {"prediction": 1e6},
    }


class Forgetful:
    """Answers like the reference, but for batches of exactly two rows, as a stale engine for a fixed size might."""

    name, takes_no_rows = "an engine", False
    signature = signature("prediction", "float64")

    def __init__(self) -> None:
        self.sizes: set[int] = set()

    def run(self, rows: Table) -> Table:
        self.sizes.add(len(rows["X"]))
        return {"prediction": rows["X"][:, 0] + (len(rows["X"]) == 2)}


@pytest.mark.parametrize("others", [(), (Batch("size 2 of N", {"X": np.ones((2, 1))}, {"prediction": np.ones(2)}),)])
def test_a_runner_that_is_no_graph_is_asked_in_every_batch(others: tuple[Batch, ...]) -> None:
    asked = probes("prediction", lambda x: x, example=[1.0, 2.0, 3.0])
    asked = replace(asked, batches=((0, 2),), batch_answers={"prediction": np.array([1.0, 3.0])}, others=others)
    engine = Forgetful()
    found = compare_runner(engine, asked, ALLOWED)
    assert engine.sizes == {1, 2, 3, 4096}, "no batch of 0, which it says that it does not take"
    assert mismatches(found) == {"each kind by itself": 2, **({"size 2 of N": 1} if others else {})}
    assert not found.equal and found.runner == "an engine"
