"""Describes the sandbox of the model's process in words."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters import _sandbox

_TRIAL = """
import importlib.util, json, sys
folder, scratch = sys.argv[1:]
spec = importlib.util.spec_from_file_location("_sandbox", folder + "/__init__.py", submodule_search_locations=[folder])
package = importlib.util.module_from_spec(spec)
sys.modules["_sandbox"] = package
spec.loader.exec_module(package)
from _sandbox._limits import limit
limit(1 << 34)
print(json.dumps(package.enter(scratch)))
"""
WORDS = {
    "programs": "start programs or processes",
    "network": "open connections",
    "writing": "write outside a folder of its own",
    "sharing": "write in the memory that programs share (/dev/shm)",
    "secrets": "read keys and credentials in the home folder",
    "processes": "reach other processes",
    "memory": "use memory or write files without bound",
}


def sandbox_words(facts: Mapping[str, Any]) -> str:
    """The report's sentence about the sandbox that was in force (`sandbox` in `evidence/measurements/machine.json`)."""
    means = _means(facts)
    by = f" ({means})" if means else ""
    held, free = (", ".join(WORDS[name] for name in facts[kind]) for kind in ("held", "open"))
    could_not = f"While it was loaded and run, the model could not: {held}{by}." if held else ""
    could = f"On this machine it could: {free}." if free else ""
    return f"{could_not} {could}".strip()


def expected() -> dict[str, Any]:
    """The facts of an idle process in the sandbox on this machine."""
    with tempfile.TemporaryDirectory(prefix="mlpack-") as scratch:
        command = [sys.executable, "-I", "-S", "-c", _TRIAL, str(Path(_sandbox.__file__).parent), scratch]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    facts: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else _sandbox.facts(0, False, False)
    return facts


def sandbox_found() -> str:
    """The restrictions of the sandbox on this machine; empty where no part of it is available."""
    facts = expected()
    means = _means(facts)
    if not means:
        return ""
    free = "; not available: " + ", ".join(facts["open"]) if facts["open"] else ""
    return f"{means}: {', '.join(facts['held'])}{free}"


def _means(facts: Mapping[str, Any]) -> str:
    landlock = [f"Landlock {facts['landlock']}"] if facts["landlock"] else []
    return ", ".join([*landlock, *(["seccomp"] if facts["seccomp"] else [])])
