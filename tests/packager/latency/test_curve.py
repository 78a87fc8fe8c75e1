"""The curve of throughput: which batch sizes are tried, where the search ends, and what a limit leaves."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.converters.spec import BATCH, Range, Signature, TensorSpec
from mlpack_toolkit.packager.errors import MismatchError
from mlpack_toolkit.packager.latency import curve, state
from mlpack_toolkit.packager.latency.curve import Curve, curve_of
from mlpack_toolkit.runtimes.engine.bound import HOST, Bound, memory_of

FIRST = ({"batch": 1, "p50_ms": 0.1, "p99_ms": 0.2, "rows_per_second": 9e3},)
ROWS = {"a": np.arange(100.0)}


class Fake:
    """A session that answers at once, up to a size; text is not bound."""

    binds = False
    memory = HOST

    def __init__(self, most: int = 1 << 30, said: str = "Failed to allocate memory", sizes: tuple[Range, ...] = ()):
        self.most, self.said, self.tried = most, said, list[int]()
        spec = TensorSpec("a", "float64", ("N",))
        self.signature = Signature("graph", (spec,), (TensorSpec("b", "float64", ("N",)),), ranges=sizes)

    def feeds(self, rows: dict[str, Any]) -> dict[str, Any]:
        return rows

    def run_feeds(self, feeds: dict[str, Any]) -> None:
        size = len(feeds["a"])
        if size not in self.tried:
            self.tried.append(size)
        if size > self.most:
            raise MismatchError(f"the graph stops on these rows: {self.said}")


def measured(session: Any, **more: Any) -> Curve:
    return curve_of(session, ROWS, FIRST, 0.001, **more)


def test_sizes_double_up_to_the_most_that_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve, "MOST_ROWS", 50)
    found = measured(session := Fake())
    assert session.tried == [2, 4, 8, 16, 32, 50] and [p["batch"] for p in found.points] == [1, *session.tried]
    assert found.largest == 50 and found.ended == "the most that is tried: 50 rows"


def test_the_largest_that_fits_is_between_two_sizes() -> None:
    found = measured(session := Fake(most=100))
    assert found.largest == 96 and found.ended == "no more memory" and max(session.tried) == 128


def test_what_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(Fake(most=8, said="Invalid shape")).ended == "the graph stops on these rows: Invalid shape"
    bounded = measured(Fake(sizes=(Range(BATCH, 1, 5),)))
    assert bounded.largest == 5 and bounded.ended == "the most that is tried: 5 rows"
    assert measured(Fake(sizes=(Range(BATCH, 8, 64),))).ended == "the signature takes no batch of 2 rows"
    tensors = Fake()
    tensors.signature = Signature("graph", (TensorSpec("a", "float64", (3,)),), (TensorSpec("b", "float64", ()),))
    assert measured(tensors).ended == "the signature has no rows" and not tensors.tried
    slow = ({**FIRST[0], "p50_ms": 1500.0},)
    found = curve_of(Fake(), ROWS, slow, 0.001)  # type: ignore[arg-type]
    assert found.largest == 1 and found.ended == "a run of 2 rows would take more than 2 s"
    left = iter([1000, 1000, 900, 780, 500, *[500] * 50])  # a batch of 4 took 220, of 8 500
    monkeypatch.setattr(curve, "_available", lambda: next(left))
    assert measured(Fake()).ended == "no more memory"


def test_a_limit_leaves_the_fastest_within_it() -> None:
    points = [{"batch": n, "p50_ms": n / 10, "p99_ms": n / 5, "rows_per_second": n * 10.0} for n in (1, 8, 32)]
    assert Curve(tuple(points)).to_json()["best"]["batch"] == 32
    within = Curve(tuple(points), limit_ms=2.0).to_json()
    assert within["best"]["batch"] == 8 and within["limit_ms"] == 2 and within["largest"]["batch"] == 32
    assert Curve(tuple(points), limit_ms=0.1).to_json()["best"] is None


class Binding:
    """What ONNX Runtime's binding was asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *given: self.calls.append((name, *given))


class Asked:
    """A session of ONNX Runtime, and the values that were made for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import onnxruntime as ort

        self.binding, self.made = Binding(), list[tuple[Any, ...]]()
        real = ort.OrtValue.ortvalue_from_numpy

        def value(values: Any, *where: Any) -> Any:
            self.made.append(where)
            return real(values)

        monkeypatch.setattr(ort.OrtValue, "ortvalue_from_numpy", staticmethod(value))

    def io_binding(self) -> Binding:
        return self.binding

    def run_with_iobinding(self, binding: Any) -> None:
        binding.run()


def test_tensors_stay_on_the_device_of_their_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU: what is asked of ONNX Runtime for one."""
    assert memory_of("CUDAExecutionProvider") == memory_of("TensorrtExecutionProvider") == "cuda"
    assert memory_of("OpenVINOExecutionProvider") == memory_of("CPUExecutionProvider") == HOST
    asked = Asked(monkeypatch)
    bound = Bound(asked, {"x": np.ones(3)}, ("y",), MismatchError, "cuda")
    bound.run()
    bound.put()
    names = [name for name, *_ in asked.binding.calls]
    assert asked.made == [("cuda", 0)] and ("bind_output", "y", "cuda", 0) in asked.binding.calls
    assert names == ["bind_ortvalue_input", "bind_output", "run", "synchronize_outputs", "synchronize_inputs"]


def test_copies_are_timed_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        def run(self) -> None: ...

        def put(self) -> None:
            time.sleep(0.004)

        def answers(self) -> dict[str, Any]:
            time.sleep(0.001)
            return {}

    found = curve.copy_times([Slow()], 0.02)  # type: ignore[list-item]
    assert found["copy_there_p50_ms"] > found["copy_back_p50_ms"] > 0.9


def test_the_state_of_the_machine(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    governor = tmp_path / state.FILES["governor"]
    governor.parent.mkdir(parents=True)
    governor.write_text("performance\n")
    clocks = tmp_path / "cpuinfo"
    clocks.write_text("cpu MHz\t\t: 2400.5\ncpu MHz\t\t: 3100.25\n")
    monkeypatch.setattr(state, "SYSTEM", tmp_path)
    monkeypatch.setattr(state, "PROCESSOR", clocks)
    with state.observed() as found:
        assert set(found) == {"before"}
    assert found["after"]["governor"] == "performance" and found["after"]["mhz"] == [2400.5, 3100.25]
    assert len(found["before"]["load"]) == 3 and "gpus" not in found["before"] and "boost" not in found["before"]
