"""The native operators with hostile arrays, under the sanitizers: see `kernels_fuzz.cpp`.

`MLPACK_FUZZ_ROUNDS=1000000 MLPACK_FUZZ_SEED=7 pytest tests/runtimes/test_kernels_fuzz.py` goes on for longer.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("kernels_fuzz.cpp")
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
FLAGS = ("-std=c++17", "-O0", "-g0", "-Wall", "-Wextra", "-ffp-contract=off", *SANITIZED)
ROUNDS = int(os.environ.get("MLPACK_FUZZ_ROUNDS", "6000"))
SEED = os.environ.get("MLPACK_FUZZ_SEED", "1")


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
    done = subprocess.run([tmp_path / "fuzz", SEED, str(ROUNDS)], capture_output=True, text=True)
    assert not done.returncode, done.stdout + done.stderr[-3000:]
    built, small, refused = map(int, re.findall(r"\d+", done.stdout))
    assert min(built, small, refused) > ROUNDS / 10 and built + refused == ROUNDS
