"""The program that runs R: its path, its version, and how to start it without a shell."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..spec import MissingTool

START_SECONDS = 120.0
SAFE_VERSION = (4, 4)
"""From this version on, reading a file runs no code from it (CVE-2024-27322)."""


@dataclass(frozen=True)
class Program:
    """An R that was started once: `version`, major and minor; `binary`: R itself, behind all scripts, and the
    `environment` that these set; both empty where the system does not reveal them."""

    version: tuple[int, int]
    binary: str
    environment: Mapping[str, str]


def rscript(given: str) -> str:
    """Returns the path of Rscript: the given one, that of `R_HOME`, or the one on the path; raises `MissingTool`."""
    home = os.environ.get("R_HOME", "")
    found = given or (os.path.join(home, "bin", "Rscript") if home else "") or shutil.which("Rscript")
    if not found or shutil.which(found) is None:
        named = f" (not {found})" if found else ""
        raise MissingTool(
            f"R is needed for this model and was not found{named}: pass its Rscript with --rscript PATH, set R_HOME, "
            "or install it (Debian: apt-get install r-base-core)"
        )
    return found


@cache
def look_at(rscript: str) -> Program:
    """Starts R without a model and reads its description; outside the sandbox, as R's start scripts run programs."""
    script = str(Path(__file__).with_name("_where.R"))
    command, environment = [rscript, "--vanilla", script], own_environment()
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS, env=environment)
    lines = done.stdout.split("\n")
    try:
        major, minor, binary, variables = lines[-5:-1]
        version = (int(major), int(minor))
    except ValueError as error:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise MissingTool(f"{rscript} cannot be run as Rscript: {last}") from error
    return Program(version, binary if os.path.isfile(binary) else "", _parsed(bytes.fromhex(variables)))


def _parsed(block: bytes) -> dict[str, str]:
    pairs = (os.fsdecode(line).partition("=") for line in block.split(b"\0") if b"=" in line)
    return {name: value for name, _, value in pairs}


def own_environment() -> dict[str, str]:
    """Returns R's own environment: no profiles, English messages, UTF-8, one thread; `_worker.R` attaches stats."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("R_PROFILE", "R_ENVIRON"))}
    return {**kept, "LANGUAGE": "en", "LC_ALL": "C.UTF-8", "TZ": "UTC", "R_DEFAULT_PACKAGES": "methods"}


def version_of(rscript: str) -> tuple[int, int]:
    """Returns the major and minor version of an R."""
    return look_at(rscript).version
