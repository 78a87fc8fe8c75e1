"""Every benchmark runs on a tiny size and tells what it measured; how fast things are is not for a test to say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import pytest

TINY: dict[str, Sequence[str]] = {
    "build": ("--runs", "1", "--rows", "50", "--model", "text pipeline"),
    "environments": ("--package", "idna==3.10", "--package", "pip==26.1"),
    "forest": ("--trees", "5", "--rows", "200"),
    "forms": ("--seconds", "0.01", "--rows", "50", "--model", "xgboost", "--type", "float32"),
    "latency_r": ("--seconds", "0.01", "--rows", "200", "--model", "glm"),
    "latency": ("--seconds", "0.01", "--rows", "50", "--model", "linear pipeline"),
    "large": ("--megabytes", "1", "--model", "table beside"),
    "variants": ("--model", "tiny", "--kind", "int8", "--seconds", "0.01"),
    "predict": ("--rows", "3000", "--runs", "1"),
}
LONG = ("build", "environments", "forest", "large", "predict")
"""Those that start many commands, each several times, or build a large model."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.full) if name in LONG else name for name in sorted(TINY)]
)
def test_it_prints_what_it_measured(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    import_module(f"benchmarks.{name}").main([*TINY[name], "--json"])
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["benchmark"] == name
    assert told["machine"]["cores_usable"] >= 1
    assert told["rows"] and all(value > 0 for row in told["rows"] for value in _numbers(row))


def _numbers(row: dict[str, Any]) -> list[float]:
    own = (v for key, v in row.items() if not key.startswith("disk"))  # a file may come from memory
    found = [v for v in own if isinstance(v, (int, float)) and not isinstance(v, bool)]
    assert found
    return found


def test_the_table_has_a_line_per_row(capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks._show import show

    show("x", [{"a": 1.25, "within": False}, {"a": 1234.5, "within": True}], as_json=False)
    assert [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines()[2:]] == [
        [" a ", " within "],
        [" --- ", " --- "],
        [" 1.25 ", " NO "],
        [" 1,234 ", " yes "],
    ]


def test_a_command_s_peak_counts_the_processes_below_it() -> None:
    from benchmarks._process import PYTHON, run

    hold = "held = b'x' * 200_000_000; import time; time.sleep(0.3)"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}], check=True); {hold}"
    used = run([PYTHON, "-c", nested])
    assert 400e6 < used.peak < 800e6
    assert used.wall > 0.6


def test_a_command_that_fails_says_why() -> None:
    from benchmarks._process import PYTHON, run

    with pytest.raises(RuntimeError, match="no such luck"):
        run([PYTHON, "-c", "raise SystemExit('no such luck')"])


def test_slow_answers_are_timed_fewer_times() -> None:
    from time import sleep

    import numpy as np

    from mlpack_toolkit.converters.latency import FEWEST_RUNS, LEAST_RUNS, measure

    rows = {"x": np.arange(10.0)}
    slow, middling = (measure(lambda x, s=s: sleep(s), lambda t: t, rows, (1,), 0.02)[0] for s in (0.03, 0.003))
    assert slow["runs"] == FEWEST_RUNS
    slower = measure(lambda x: sleep(0.03), lambda t: t, rows, (1,), 0.001)[0]
    assert slower["runs"] == 1
    assert FEWEST_RUNS <= middling["runs"] <= 2 * LEAST_RUNS


def test_what_a_model_refuses_lies_together() -> None:
    import numpy as np

    from mlpack_toolkit.converters._worker.probes import make_probes
    from mlpack_toolkit.converters.spec import Cells, Description, Feature, TensorSpec

    features = tuple(Feature(f"x{i}", thresholds=(0.5,)) for i in range(3))
    described = Description("Model", "regressor", features, named=False)
    spec = TensorSpec("X", "float64", ("N", 3), Cells(nullable=True))
    probes = make_probes(described, (spec,), {"X": np.zeros((4, 3))})
    rows = np.concatenate([p.rows["X"] for p in probes])
    places = np.flatnonzero((np.abs(rows) > np.finfo(np.float32).max).any(axis=1))
    assert np.array_equal(np.diff(places), np.ones(3 * 4 - 1))
    tried = {v for p in probes if p.kind == "large" for v in p.rows["X"][:, 0].tolist()}
    assert tried >= {1e6, -1e6, 1e12, 1e30, 1e39, -1e39, np.inf, -np.inf}
