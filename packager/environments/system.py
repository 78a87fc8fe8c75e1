"""Describes the machine that a measurement was taken on."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """CPU model and flags, cores, kernel, libc; no host name."""
    facts = _cpu_facts()
    return {
        "cpu": facts.get("model name", platform.processor() or platform.machine()),
        "cpu_flags": sorted(facts.get("flags", "").split()),
        "cores": os.cpu_count() or 1,
        "cores_usable": len(os.sched_getaffinity(0)),
        "architecture": platform.machine(),
        "kernel": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()),
        "gpus": _gpus(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
    }


def _gpus() -> list[str]:
    """The models of NVIDIA GPUs and the driver's version, as the driver reports them."""
    driver = Path("/proc/driver/nvidia")
    if not driver.is_dir():
        return []
    files = sorted((driver / "gpus").glob("*/information"))
    models = [
        line.partition(":")[2].strip() for path in files for line in path.read_text().splitlines() if "Model" in line
    ]
    return [*models, *(driver / "version").read_text().splitlines()[:1]]


def _cpu_facts() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    if not path.is_file():
        return {}
    first = path.read_text(errors="replace").split("\n\n", 1)[0]
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def kernels(libraries: Sequence[Mapping[str, Any]]) -> str:
    """The loaded linear algebra kernels and numpy's instruction sets, for people: `OpenBLAS Haswell`."""
    blas = sorted({str(each.get("architecture")) for each in libraries if each.get("internal_api") == "openblas"})
    other = sorted({str(e["internal_api"]) for e in libraries if e.get("user_api") == "blas"} - {"openblas"})
    simd = [f"numpy {each.get('architecture')}" for each in libraries if each.get("user_api") == "simd"]
    return ", ".join([*(f"OpenBLAS {name}" for name in blas), *other, *simd]) or "unknown"
