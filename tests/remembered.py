"""What is installed here, looked at once a run: hundreds of builds would each look at the same environment.

Tests of the look itself (`tests/packager/environments`) take `packager.environments.python.capture.Capture` as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

from mlpack_toolkit.packager.environments.python.capture import Capture, Captured
from tests.quick import CAPTURES, TORCH

ELSE = ("PYTEST_", "MLPACK_TEST_", "CCACHE_", "PWD", "OLDPWD", "SHLVL", "_")
"""What the names of variables begin with that a capture cannot depend on."""


class Remembered:
    """The same words as `Capture`; another interpreter, or another environment of variables, is looked at anew."""

    def __init__(self, python: str) -> None:
        self._place = Path(os.environ[CAPTURES], _key(python)) if python in (sys.executable, TORCH) else None
        known = self._place is not None and self._place.exists()
        self._capture = None if known else Capture(python)

    def result(self) -> Captured:
        """What the interpreter told, now or before."""
        if self._capture is None:
            assert self._place is not None
            facts, distributions, local = json.loads(self._place.read_bytes())
            return Captured(facts, tuple(distributions), local)
        captured = self._capture.result()
        if self._place is not None:
            beside = self._place.with_suffix(f".{os.getpid()}")
            beside.write_text(json.dumps([captured.facts, captured.distributions, captured.local]))
            beside.replace(self._place)
        return captured


def _key(python: str) -> str:
    variables = sorted((n, v) for n, v in os.environ.items() if not n.startswith(ELSE))
    packages = Path(python).parent.parent.glob("lib/*/site-packages")
    folders = [(path, os.stat(path).st_mtime_ns) for path in (*sys.path, *map(str, packages)) if "packages" in path]
    return hashlib.sha256(json.dumps([python, variables, folders]).encode()).hexdigest()
