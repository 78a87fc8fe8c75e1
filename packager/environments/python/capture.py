"""Captures a Python environment: the interpreter, the platform and every installed distribution."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import EnvironmentFault, MissingToolError
from ...paths import kept, program

FORMAT = 2
SECONDS = 120.0
PRIVATE = ("local", "tops")
"""Facts that stay on this machine."""


@dataclass(frozen=True)
class Captured:
    """`facts`: as in `environment.json`, without a path of this machine. `distributions`: with their `local` paths and
    their top-level packages (`tops`). `local`: the interpreter's prefix, the markers, and settings that can change
    numbers."""

    facts: dict[str, Any]
    distributions: tuple[dict[str, Any], ...]
    local: dict[str, Any]

    def document(self, needed: frozenset[str]) -> dict[str, Any]:
        """`environment.json`. `needed`: canonical names of the distributions that the model needs at least."""
        from packaging.utils import canonicalize_name

        distributions = [
            {**{k: v for k, v in each.items() if k not in PRIVATE}, "needed": canonicalize_name(each["name"]) in needed}
            for each in self.distributions
        ]
        return {**self.facts, "distributions": distributions}


class Capture:
    """A capture that runs beside the model's worker."""

    def __init__(self, python: str) -> None:
        script = Path(__file__).with_name("probe.py").read_text(encoding="utf-8")
        safe = script.replace("import annotations\n", "import annotations\nimport sys\nsys.path[:1] = []\n", 1)
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            self._process = subprocess.Popen(
                [program(python), "-c", safe, str(_memory_of(python))],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd="/",
            )
        except OSError as error:
            raise MissingToolError(f"the interpreter {python} cannot be started: {error.strerror}") from error

    def result(self) -> Captured:
        """Waits for the interpreter's report."""
        try:
            out, noise = self._process.communicate(timeout=SECONDS)
            facts: dict[str, Any] = json.loads(out)
        except (subprocess.TimeoutExpired, ValueError) as error:
            self._process.kill()
            raise EnvironmentFault(f"the environment cannot be captured: {error}") from error
        if self._process.returncode:
            raise EnvironmentFault(f"the environment cannot be captured: {noise.decode(errors='replace')[-300:]}")
        return _captured(facts)


def _memory_of(python: str) -> Path:
    folder = kept() / "digests"
    folder.mkdir(exist_ok=True)
    return folder / (hashlib.sha256(program(python).encode()).hexdigest()[:32] + ".memory")


def _captured(facts: Mapping[str, Any]) -> Captured:
    own = {k: facts[k] for k in ("interpreter", "libc")}
    return Captured({"format": FORMAT, "language": "python", **own}, tuple(facts["distributions"]), facts["local"])
