"""Cases that a framework's own interpreter runs, all in one process: their names, and what came of them."""

from __future__ import annotations

import ast
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Lines = dict[str, dict[str, Any]]


def names_in(folder: Path, kind: type[ast.ClassDef] | type[ast.FunctionDef]) -> list[str]:
    """The names under which `cases/*.py` put classes, or functions, on the list by `@case(…)`.

    Read as text, for the framework is elsewhere.
    """
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("cases/*.py"))]
    return [node.name for tree in trees for node in tree.body if isinstance(node, kind) and _listed(node)]


def _listed(node: ast.ClassDef | ast.FunctionDef) -> bool:
    return any(isinstance(d, ast.Call) and ast.unparse(d.func) == "case" for d in node.decorator_list)


def outcomes(python: str, script: Path, *arguments: str) -> Lines:
    """What the script prints of each case, by the case's name."""
    command: Sequence[str] = [python, str(script), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stderr[-2000:]
    return {found["case"]: found for found in map(json.loads, done.stdout.splitlines())}
