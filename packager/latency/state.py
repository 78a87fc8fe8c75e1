"""The state of a machine while something is measured on it: clocks, power, load. It is recorded, never set."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..environments.nvidia import gpu_states

SYSTEM = Path("/sys")
PROCESSOR = Path("/proc/cpuinfo")
FILES: Mapping[str, str] = {
    "governor": "devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "most_khz": "devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq",
    "no_turbo": "devices/system/cpu/intel_pstate/no_turbo",
    "boost": "devices/system/cpu/cpufreq/boost",
    "throttled": "devices/system/cpu/cpu0/thermal_throttle/core_throttle_count",
}
"""By name, a file of Linux's; a virtual machine often has none of them."""


def state() -> dict[str, Any]:
    """What is known at this moment; a field that the machine does not have is absent."""
    found = {name: _text(SYSTEM / path) for name, path in FILES.items()}
    clocks, gpus = _clocks(), gpu_states()
    return {
        "load": [round(each, 2) for each in os.getloadavg()],
        **{name: value for name, value in found.items() if value},
        **({"mhz": clocks} if clocks else {}),
        **({"gpus": gpus} if gpus else {}),
    }


@contextmanager
def observed() -> Iterator[dict[str, Any]]:
    """A dict that has the state `before`, and `after` once the block has ended."""
    found: dict[str, Any] = {"before": state()}
    try:
        yield found
    finally:
        found["after"] = state()


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _clocks() -> list[float]:
    """The least and the greatest clock of the processors, in MHz."""
    lines = _text(PROCESSOR).splitlines()
    found = [float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz")]
    return [min(found), max(found)] if found else []
