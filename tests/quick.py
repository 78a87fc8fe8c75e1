"""What makes a run of the tests short: compilers and clocks do again and again what they did a minute ago.

Tests of the thing itself take the user's own way back: `real_clock` and `real_compiler` in `tests/conftest.py`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

CLOCK = 0.01
"""Seconds that a build spends on each batch size; `SECONDS_PER_BATCH_SIZE` is ten times as long."""
JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"
"""A Maven run of three seconds never earns back what the second compiler costs."""
CAPTURES = "MLPACK_TEST_CAPTURES"
"""The variable that names the folder of what `tests/remembered.py` remembers."""
TORCH = os.environ.get("MLPACK_TORCH_PYTHON", "")
"""The interpreter that has torch; empty where none has."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Workers of pytest share the processors: threads of a fit or of a product of matrices would wait for each other."""
TENSORRT = os.environ.get("MLPACK_TENSORRT_PYTHON", "")
"""The interpreter that has TensorRT for RTX; empty where none has."""
TENSORFLOW = os.environ.get("MLPACK_TENSORFLOW_PYTHON", "")
"""The interpreter that has TensorFlow and Keras; empty where none has."""
COMPILE = Path(__file__).with_name("compile.sh")


def environment(cache: Path) -> dict[str, str]:
    """Variables for CMake, Maven and what they start; `cache`: where compiled objects stay until the next run.

    The same source gives the same object in any folder: paths below the temporary folder are relative to the build.
    """
    found = {"MAVEN_OPTS": JVM, "JDK_JAVA_OPTIONS": JVM} | ONE_THREAD
    if shutil.which("ccache"):
        found |= {"CMAKE_CXX_COMPILER_LAUNCHER": f"bash;{COMPILE}", "CCACHE_DIR": str(cache), "CCACHE_NOHASHDIR": "1"}
        found |= {"CCACHE_BASEDIR": tempfile.gettempdir(), "CCACHE_MAXSIZE": "500M"}
    return found
