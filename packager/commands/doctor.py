"""Implements `mlpack doctor`: checks the tools and packages of each feature, with the command that installs them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.needs import Need, Requirement

from ..needs import needs
from ..original.sandbox import sandbox_found

SANDBOX = "Linux 5.13 or later on x86_64 or aarch64; in a container, a profile that allows landlock and seccomp"
DISTRIBUTION = "mlpack-toolkit"
ENGINE_SECONDS = 10


@dataclass(frozen=True)
class Check:
    """A requirement of a feature; `find` gives its version, or an empty string."""

    name: str
    purpose: str
    find: Callable[[], str]
    mend: str


def doctor() -> dict[str, Any]:
    """All checks with their results."""
    checks = (*map(_check, filter(_is_shown, needs())), *_own())
    return {"checks": [{"name": c.name, "for": c.purpose, "found": c.find(), "mend": c.mend} for c in checks]}


def _is_shown(need: Need) -> bool:
    return bool(need.purpose)


def _check(need: Need) -> Check:
    if isinstance(need, Requirement):
        brings = f"'{DISTRIBUTION}[{need.extra}]'" if need.extra else need.name
        return Check(need.name, need.purpose, partial(_version, need.name, *need.instead), f"pip install {brings}")
    find = partial(_file, need.file) if need.file else partial(_says, need.name, need.argument)
    return Check(need.name, need.purpose, find, need.mend)


def _own() -> tuple[Check, ...]:
    """The checks that no variant declares."""
    return (
        Check("sandbox", "keeping a model from programs, network and files", sandbox_found, SANDBOX),
        _engine(),
        Check("headers", "the C++ project", _headers, "python -m mlpack_toolkit.packager.setup_headers"),
    )


def _engine() -> Check:
    """The check of the container engine itself, as its client answers also where no engine runs."""
    from ..images import engine

    version, why = engine(ENGINE_SECONDS)
    found = f"engine {version}" if version else ""
    return Check("docker", "container images", lambda: found, f"{_engine_fix(why)}  ({why})" if why else "")


def _engine_fix(why: str) -> str:
    if "pip install" in why:
        return f"pip install '{DISTRIBUTION}[image]'"
    if "permission denied" in why.lower():
        return 'sudo usermod -aG docker "$USER", then log in again'
    if os.environ.get("DOCKER_HOST"):
        return "unset DOCKER_HOST, or set it to an engine that answers on this machine"
    return "sudo systemctl start docker" if shutil.which("docker") else "apt-get install docker.io"


def _file(name: str) -> str:
    return name if Path(name).is_file() else ""


def _version(*names: str) -> str:
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return ""


def _says(tool: str, argument: str) -> str:
    if shutil.which(tool) is None:
        return ""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run([tool, argument], capture_output=True, text=True, timeout=60, env=environment)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = (done.stdout + done.stderr).strip() or "installed, unknown version"
    return said.splitlines()[0] if done.returncode == 0 else ""


def _headers() -> str:
    from ..setup_headers import cache_folder, find_header

    found = find_header(cache_folder() / "include")
    return str(found) if found else ""
