"""Limits on latency by provider: what they are read from, and which of them must be measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.config import build_request
from mlpack_toolkit.packager.errors import UsageError
from mlpack_toolkit.packager.latency.limits import Limits, milliseconds, of_command_line, times_of


@pytest.mark.parametrize(("text", "time"), [("5", 5), ("5ms", 5), ("800us", 0.8), ("0.1 s", 100), ("1e-3", 0.001)])
def test_a_time_has_a_unit_or_is_in_milliseconds(text: str, time: float) -> None:
    assert milliseconds(text, "here") == pytest.approx(time)


@pytest.mark.parametrize("text", ["", "fast", "5 minutes", "-1", "nan", "inf", True, "1e999", "1.2.3"])
def test_what_is_no_time(text: Any) -> None:
    with pytest.raises(UsageError, match="here: write a time"):
        milliseconds(text, "here")


def test_the_command_line_wins(tmp_path: Path) -> None:
    path = tmp_path / "mlpack.toml"
    path.write_text('[limits]\ncpu = 5\ncuda = "1.5ms"\n')
    limits = of_command_line(path, ["cuda=800us"])
    assert (limits.of("cpu"), limits.of("cuda"), limits.of("openvino")) == (5, 0.8, None)
    limits.check_measured(("cuda",), "prove")
    assert of_command_line(path, ["3"]).of("cpu") == 3 and of_command_line(None, ()).of("cpu") is None
    with pytest.raises(UsageError, match="--max-p99 cuda=…: bench measures on cpu here"):
        limits.check_measured(("cpu",), "bench")
    Limits({}, {"cuda": 1.0}).check_measured(("cpu",), "bench")  # of the file, which is for all machines


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[limits]\nrocm = 1\n", "there is no provider 'rocm'"),
        ("limits = 5\n", "must be a table of providers"),
        ('[limits]\ncpu = "soon"\n', "write a time"),
        ("[limits", "is not TOML"),
    ],
)
def test_a_table_that_is_wrong(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mlpack.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        of_command_line(path, ())
    with pytest.raises(UsageError, match="there is no configuration file"):
        of_command_line(tmp_path / "none.toml", ())
    with pytest.raises(UsageError, match="there is no provider 'gpu'"):
        times_of(["gpu=5ms"])


def test_a_build_takes_the_limit_of_the_cpu(tmp_path: Path) -> None:
    """It measures there alone; the other limits of the file wait for `mlpack prove`."""
    path = tmp_path / "mlpack.toml"
    path.write_text('[build]\nmodel = "m"\nexample = "x"\n[limits]\ncpu = "5ms"\ncuda = "1ms"\n')
    assert build_request(path, {}).max_p99_ms == 5
    assert build_request(path, {"max_p99": ("cpu=2ms",)}).max_p99_ms == 2
    assert build_request(path, {"max_p99": 3.0}).max_p99_ms == 3  # from Python
    with pytest.raises(UsageError, match="build measures on cpu here"):
        build_request(path, {"max_p99": ("cuda=2ms",)})
    path.write_text('[build]\nmodel = "m"\nexample = "x"\nmax-p99 = "800us"\n[limits]\ncpu = "5ms"\n')
    assert build_request(path, {}).max_p99_ms == pytest.approx(0.8)
    path.write_text('[build]\nmodel = "m"\nexample = "x"\nmax-p99 = 2.5\n')
    assert build_request(path, {}).max_p99_ms == 2.5 and build_request(path, {"max_p99": ()}).max_p99_ms == 2.5
