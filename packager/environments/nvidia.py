"""NVIDIA's part of a machine: its GPUs and their state, and the libraries that this process has loaded."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROGRAM = "nvidia-smi"
SECONDS = 20
FIELDS = ("name", "driver_version", "compute_cap", "memory.total", "mig.mode.current", "clocks.max.sm", "power.limit")
"""Fields of `nvidia-smi` that stay as they are."""
STATE = ("memory.used", "clocks.sm", "clocks.mem", "power.draw", "pstate", "temperature.gpu", "utilization.gpu")
"""Fields that change from one moment to the next."""
NOTHING = ("", "[N/A]", "N/A", "[Not Supported]", "[Unknown Error]")
LIBRARY = re.compile(r"/[^\s]*/lib(cudart|cudnn|cuda|nvinfer)\.so[^\s/]*$")
VERSIONS: Mapping[str, tuple[str, str]] = {
    "cudart": ("cuda", "cudaRuntimeGetVersion"),
    "cuda": ("driver_cuda", "cuDriverGetVersion"),
    "cudnn": ("cudnn", "cudnnGetVersion"),
    "nvinfer": ("tensorrt", "getInferLibVersion"),
}
"""By library, the name of its version in a proof, and the function that returns it."""


def gpus() -> list[dict[str, str]]:
    """What does not change about each GPU; none where there is no driver."""
    return _asked(FIELDS)


def gpu_states() -> list[dict[str, str]]:
    """Clocks, power, temperature and use of each GPU at this moment."""
    return _asked(STATE)


def _asked(fields: tuple[str, ...]) -> list[dict[str, str]]:
    """One object for each GPU, without the fields that it does not have."""
    if shutil.which(PROGRAM) is None:
        return []
    command = [PROGRAM, f"--query-gpu={','.join(fields)}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = [line.split(", ") for line in done.stdout.splitlines()] if done.returncode == 0 else []
    found = [dict(zip(fields, map(str.strip, line), strict=True)) for line in lines if len(line) == len(fields)]
    return [{name: value for name, value in each.items() if value not in NOTHING} for each in found]


def free_memory() -> int | None:
    """The bytes that the first GPU has left; None where nothing says."""
    found = _asked(("memory.free",))
    words = found[0].get("memory.free", "").split() if found else []
    return int(words[0]) << 20 if len(words) == 2 and words[0].isdigit() and words[1] == "MiB" else None


def versions(maps: Path = Path("/proc/self/maps")) -> dict[str, str]:
    """The versions of NVIDIA's libraries that are loaded, as each of them says; none where none is."""
    try:
        lines = maps.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    paths = {found[1]: found[0] for line in lines if (found := LIBRARY.search(line))}
    drivers = {each["driver_version"] for each in gpus() if "driver_version" in each}
    said = {VERSIONS[name][0]: _said(path, VERSIONS[name][1]) for name, path in sorted(paths.items())}
    known = {name: version for name, version in said.items() if version}
    return known | ({"driver": ", ".join(sorted(drivers))} if drivers else {})


def _said(path: str, function: str) -> str:
    """The version that a loaded library returns; empty where it has no such function."""
    try:
        call: Any = getattr(ctypes.CDLL(path), function)
    except (OSError, AttributeError):
        return ""
    if function.startswith("cud") and function != "cudnnGetVersion":
        number = ctypes.c_int()
        return "" if call(ctypes.byref(number)) else f"{number.value // 1000}.{number.value % 1000 // 10}"
    call.restype = ctypes.c_size_t if function == "cudnnGetVersion" else ctypes.c_int
    return _dotted(int(call()))


def _dotted(number: int) -> str:
    """cuDNN 9 and TensorRT 10 count in steps of 10 000 and 100, older ones of 1000 and 100."""
    step = 10_000 if number >= 10_000 else 1000
    return f"{number // step}.{number % step // 100}.{number % 100}"
