"""A Python environment as it is: the interpreter, the platform and every installed distribution."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from ..errors import EnvironmentFault, MissingToolError

FORMAT = 1
SECONDS = 120.0


class Capture:
    """A capture under way, beside the model's worker."""

    def __init__(self, python: str) -> None:
        script = Path(__file__).with_name("_python_probe.py").read_text(encoding="utf-8")
        safe = script.replace("import annotations\n", "import annotations\nimport sys\nsys.path[:1] = []\n", 1)
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            self._process = subprocess.Popen(
                [python, "-c", safe],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd="/",
            )
        except OSError as error:
            raise MissingToolError(f"the interpreter {python} cannot be started: {error.strerror}") from error

    def result(self) -> dict[str, Any]:
        """`environment.json`: interpreter, libc and distributions."""
        try:
            out, noise = self._process.communicate(timeout=SECONDS)
            facts: dict[str, Any] = json.loads(out)
        except (subprocess.TimeoutExpired, ValueError) as error:
            self._process.kill()
            raise EnvironmentFault(f"the environment cannot be captured: {error}") from error
        if self._process.returncode:
            raise EnvironmentFault(f"the environment cannot be captured: {noise.decode(errors='replace')[-300:]}")
        return {"format": FORMAT, "language": "python", **facts}
