"""Latency: what is measured, beside what, and the gate."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from mlpack_toolkit.converters.latency import LEAST_RUNS, measure
from mlpack_toolkit.converters.spec import Signature, TensorSpec
from mlpack_toolkit.packager.commands import bench
from mlpack_toolkit.packager.commands.bench import BATCHES, LatencyReport, check_gate
from mlpack_toolkit.packager.environments.system import machine
from mlpack_toolkit.packager.errors import LatencyError
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


def test_the_best_window_is_judged_and_the_p50_stands_beside_it() -> None:
    single = {"batch": 1, "p50_ms": 0.04, "p99_ms": 13.9, "windows": 4, "best_p99_ms": 0.06}
    noisy = LatencyReport((single,), (), {}, {})
    check_gate(noisy, 5.0)
    with pytest.raises(LatencyError, match=r"is 0\.06 ms, above .* \(p50 0\.04 ms, judged by the best of 4 windows\)"):
        check_gate(noisy, 0.05)


class Stalling:
    """A session whose machine does something else for a while: the first 40 runs of a second of its clock are slow."""

    signature = Signature("regressor", (TensorSpec("a", "int64", ("N",)),), ())

    def __init__(self, *given: Any, **options: Any) -> None:
        self.runs: list[int] = []

    def feeds(self, rows: dict[str, Any]) -> dict[str, Any]:
        return rows

    def run_feeds(self, feeds: dict[str, Any]) -> None:
        import time

        self.runs.append(len(feeds["a"]))
        time.sleep(0.004 if len(self.runs) < 12 else 0.0002)


def test_a_stall_spoils_one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    import numpy as np

    made: list[Stalling] = []
    monkeypatch.setattr(bench, "Session", lambda *given, **options: made.append(Stalling()) or made[0])
    begun = time.perf_counter()
    graph = bench.measure_graph(b"", None, {"a": np.arange(100)}, 0.1)  # type: ignore[arg-type]
    assert time.perf_counter() - begun < 3
    assert [b["batch"] for b in graph] == list(BATCHES)
    single = graph[0]
    assert single["windows"] == bench.WINDOWS and single["best_p99_ms"] < single["p99_ms"]
    assert single["p99_ms"] >= 4
    sizes = [made[0].runs[i] for i in range(len(made[0].runs)) if not i or made[0].runs[i] != made[0].runs[i - 1]]
    assert sizes == [1, 8, 1, 64, 1, 1000, 1]


def test_one_long_stall_leaves_the_other_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single run that takes longer than all windows together is the machine's doing."""
    import time

    import numpy as np

    class Once(Stalling):
        def run_feeds(self, feeds: dict[str, Any]) -> None:
            self.runs.append(1)
            time.sleep(0.3 if len(self.runs) == 20 else 0.0002)

    made: list[Once] = []
    monkeypatch.setattr(bench, "Session", lambda *given, **options: made.append(Once()) or made[0])
    graph = bench.measure_graph(b"", None, {"a": np.arange(100)}, 0.1, (1,))  # type: ignore[arg-type]
    assert graph[0]["windows"] == bench.WINDOWS and graph[0]["best_p99_ms"] < 100


def test_windows_take_no_longer_than_one_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a run is slow, the first window takes the whole time."""
    import time

    import numpy as np

    class Slow(Stalling):
        def run_feeds(self, feeds: dict[str, Any]) -> None:
            self.runs.append(1)
            time.sleep(0.03)

    made: list[Slow] = []
    monkeypatch.setattr(bench, "Session", lambda *given, **options: made.append(Slow()) or made[0])
    graph = bench.measure_graph(b"", None, {"a": np.arange(100)}, 0.1, (1,))  # type: ignore[arg-type]
    assert graph[0]["windows"] == 1 and len(made[0].runs) < 10


def test_a_batch_that_would_take_seconds_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large network: each row takes as long as the last one."""
    import time

    import numpy as np

    class Large(Stalling):
        def run_feeds(self, feeds: dict[str, Any]) -> None:
            time.sleep(0.003 * len(feeds["a"]))

    monkeypatch.setattr(bench, "Session", lambda *given, **options: Large())
    graph = bench.measure_graph(b"", None, {"a": np.arange(1000)}, 0.01)  # type: ignore[arg-type]
    assert [each["batch"] for each in graph] == [1, 8, 64]


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
    assert not any("bound_p50_ms" in b for b in facts["graph"]), "text is not bound"
    assert facts["threads"] == 1 and facts["versions"]["onnxruntime"]
    assert ("scikit-learn" in facts["versions"] or "sklearn" in facts["versions"]) == against


def test_bound_tensors_are_measured_beside_the_call(flowers: Made, mlpack: Run) -> None:
    """The call hands arrays over and takes arrays back: it costs no less, but for the noise of a busy machine."""
    code, facts, error = mlpack("bench", flowers.folder, "--seconds", "0.02")
    assert code == 0, error
    assert all(0 < b["bound_p50_ms"] < 3 * b["p50_ms"] for b in facts["graph"])
