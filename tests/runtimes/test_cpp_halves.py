"""`Float16` and `BFloat16` of a C++ project against numpy and ml_dtypes: every number, and how others are rounded."""

from __future__ import annotations

import subprocess
from pathlib import Path
from shutil import which

import ml_dtypes
import numpy as np
import pytest

HEADER = Path(__file__).parent.parent / "golden/cpp/include/size_class/half.hpp"
PROGRAM = """
#include "half.hpp"
#include <cstdio>
using namespace size_class;
template <class T> void put(const T& value) { std::fwrite(&value, sizeof value, 1, stdout); }
int main() {
    for (unsigned bits = 0; bits != 65536; ++bits) {
        Float16 half;
        BFloat16 brain;
        half.bits = brain.bits = static_cast<std::uint16_t>(bits);
        put(static_cast<float>(half));
        put(static_cast<float>(brain));
    }
    double value = 0;
    while (std::fread(&value, sizeof value, 1, stdin) == 1) {
        put(Float16(value).bits);
        put(BFloat16(value).bits);
    }
}
"""
HALF, BRAIN = np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)


@pytest.mark.skipif(not which("g++"), reason="there is no g++")
def test_bits_and_rounding(tmp_path: Path) -> None:
    (tmp_path / "half.hpp").write_bytes(HEADER.read_bytes())
    (tmp_path / "main.cpp").write_text(PROGRAM)
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-O1"]
    subprocess.run(["g++", *flags, "main.cpp", "-o", "main"], cwd=tmp_path, check=True, timeout=120)
    every = np.arange(2**16, dtype=np.uint16)
    rng = np.random.default_rng(0)
    halves = every.view(HALF).astype(np.float64)[np.isfinite(every.view(HALF))]
    near = [halves, halves * (1 + 2**-12), np.nextafter((halves[:-1] + halves[1:]) / 2, np.inf), halves[:-1] / 2]
    with np.errstate(invalid="ignore"):
        wide = rng.integers(0, 2**32, 50_000, dtype=np.uint32).view(np.float32).astype(np.float64)
    values = np.concatenate(
        [*near, wide, (halves[:-1] + halves[1:]) / 2, [65519.999, 65520, 1e39, -0.0, 2**-25, np.inf]]
    )
    done = subprocess.run([tmp_path / "main"], input=values.tobytes(), capture_output=True, check=True, timeout=60)
    decoded = np.frombuffer(done.stdout[: 2**16 * 8], np.float32).reshape(-1, 2)
    bits = np.frombuffer(done.stdout[2**16 * 8 :], np.uint16).reshape(-1, 2)
    for column, dtype in enumerate((HALF, BRAIN)):
        np.testing.assert_array_equal(decoded[:, column], every.view(dtype).astype(np.float32))
        with np.errstate(over="ignore", invalid="ignore"):
            source = values if dtype == HALF else values.astype(np.float32)
            want = source.astype(dtype)
        known = ~np.isnan(values)
        np.testing.assert_array_equal(bits[known, column], want.view(np.uint16)[known])
        assert np.isnan(np.ascontiguousarray(bits[~known, column]).view(dtype).astype(np.float32)).all()
