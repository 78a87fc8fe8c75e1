"""The native operators with hostile arrays, under the sanitizers: see `kernels_fuzz.cpp`."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("kernels_fuzz.cpp")
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
FLAGS = ("-std=c++17", "-O1", "-g0", "-Wall", "-Wextra", "-ffp-contract=off", *SANITIZED)
ROUNDS = 20_000


@pytest.mark.parametrize(
    "portable", [pytest.param(False, id="avx2"), pytest.param(True, id="portable", marks=pytest.mark.full)]
)
@pytest.mark.slow
def test_no_array_makes_a_kernel_read_beyond_its_memory_or_answer_otherwise(portable: bool, tmp_path: Path) -> None:
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    own = ("-DMLPACK_PORTABLE",) if portable else ()
    subprocess.run([compiler, *FLAGS, *own, str(PROGRAM), "-o", str(tmp_path / "fuzz")], check=True, timeout=300)
    done = subprocess.run([tmp_path / "fuzz", "1", str(ROUNDS)], capture_output=True, text=True, timeout=300)
    assert not done.returncode, done.stdout + done.stderr[-3000:]
    built, small, refused = map(int, re.findall(r"\d+", done.stdout))
    assert min(built, small, refused) > ROUNDS / 10 and built + refused == ROUNDS
