"""Latency: what is measured, beside what, and the gate."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from converters._latency import LEAST_RUNS, measure
from packager.bench import BATCHES, LatencyReport, check_gate
from packager.environments.system import machine
from packager.errors import LatencyError
from tests.packager.conftest import Made

Run = Callable[..., tuple[int, dict[str, Any], str]]


def report(p99: float) -> LatencyReport:
    graph = ({"batch": 1, "p50_ms": 0.5, "p99_ms": p99}, {"batch": 8, "p50_ms": 1.0, "p99_ms": 99.0})
    original = ({"batch": 1, "p50_ms": 2.0, "p99_ms": 9.0},)
    return LatencyReport(graph, original, {}, {})


@pytest.mark.parametrize("gate", [None, 1.0, 1.5])
def test_the_gate_lets_pass(gate: float | None) -> None:
    check_gate(report(1.0), gate)


def test_the_gate_holds() -> None:
    with pytest.raises(LatencyError, match=r"p99 at batch 1 is 1 ms, above the gate of 0\.999 ms") as caught:
        check_gate(report(1.0), 0.999)
    assert caught.value.facts == {"p99_ms": 1.0, "p50_ms": 0.5, "max_p99_ms": 0.999}


def test_speedup_is_the_originals_median_over_the_graphs() -> None:
    assert report(1.0).to_json()["speedup"] == {"1": 4.0}


def test_the_clock_sees_varied_rows_and_not_their_making() -> None:
    import time

    import numpy as np

    seen: list[tuple[int, ...]] = []

    def prepare(rows: dict[str, Any]) -> tuple[int, ...]:
        time.sleep(0.002)
        return tuple(rows["a"])

    def run(x: tuple[int, ...]) -> None:
        seen.append(x)
        time.sleep(0.001)

    (found,) = measure(run, prepare, {"a": np.arange(100)}, (2,), 0.03)
    assert found["batch"] == 2 and found["runs"] >= LEAST_RUNS
    assert len(set(seen)) > LEAST_RUNS and all(len(x) == 2 for x in seen)
    assert 1.0 <= found["p50_ms"] <= found["p90_ms"] <= found["p95_ms"] <= found["p99_ms"]
    assert 0 < found["rows_per_second"] <= 2 / 0.001


def test_the_machine_is_named_and_not_the_host() -> None:
    import socket

    facts = machine()
    assert set(facts) == {
        *("cpu", "cpu_flags", "cores", "cores_usable", "architecture", "gpus", "kernel", "libc", "memory_bytes")
    }
    assert facts["cpu"] and facts["memory_bytes"] > 2**28
    assert socket.gethostname() not in [word for value in facts.values() for word in str(value).split()]


@pytest.mark.parametrize("against", [False, True])
def test_a_bundle_measured_again(against: bool, crew: Made, mlpack: Run) -> None:
    arguments = ("--against", "original", "--python", sys.executable) if against else ()
    code, facts, error = mlpack("bench", crew.folder, "--seconds", "0.01", *arguments)
    assert code == 0, error
    assert [b["batch"] for b in facts["graph"]] == list(BATCHES)
    assert [b["batch"] for b in facts["original"]] == (list(BATCHES) if against else [])
    assert set(facts["speedup"]) == (set(map(str, BATCHES)) if against else set())
    assert facts["threads"] == 1 and facts["versions"]["onnxruntime"]
    assert ("scikit-learn" in facts["versions"] or "sklearn" in facts["versions"]) == against
