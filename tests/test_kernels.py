"""Models whose answers may depend on the processor, with other kernels and without numpy's newer instructions."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from mlpack_toolkit.packager.environments.system import machine
from mlpack_toolkit.packager.equivalence.processor import NUMPY

ROOT = Path(__file__).parents[1]
CHOSEN = ("brute", "radius", "outliers", "centroids", "ties", "noise", "KMeans", "kernels0", "distance")
FILES = ("test_neighbors.py", "test_imputing_nearest.py", "test_clustering.py", "test_gaussian_process.py")
PRINTED = """
import numpy, scipy.linalg, threadpoolctl
print(*sorted({each["architecture"] for each in threadpoolctl.threadpool_info()}))
"""
NAMES = {"Prescott": "Katmai"}
"""Kernels by the names that OpenBLAS gives them, where those are not the ones that it takes."""


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the kernels are those of x86-64")
@pytest.mark.full
@pytest.mark.parametrize("kernel", ["Prescott", "Haswell"])
def test_the_sensitive_families_under_another_kernel(kernel: str) -> None:
    """One kernel that fuses steps and one that does not; the whole suite runs under the machine's own, which fuses."""
    if kernel == "Haswell" and not {"avx2", "fma"} <= set(machine()["cpu_flags"]):
        pytest.skip("this processor fuses no steps")
    env = {**os.environ, "OPENBLAS_CORETYPE": kernel, "NPY_DISABLE_CPU_FEATURES": NUMPY}
    shown = subprocess.run([sys.executable, "-c", PRINTED], capture_output=True, text=True, env=env)
    assert shown.stdout.split() == [NAMES.get(kernel, kernel)], shown.stderr
    files = [str(ROOT / "tests" / "converters" / "sklearn" / name) for name in FILES]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", " or ".join(CHOSEN), *files]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env, timeout=500)
    assert done.returncode == 0, done.stdout
    assert int(done.stdout.split(" passed")[0].split()[-1]) > 60, done.stdout
