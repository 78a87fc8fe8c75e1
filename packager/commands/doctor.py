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

from ..original.sandbox import sandbox_found

SANDBOX = "Linux 5.13 or later on x86_64 or aarch64; in a container, a profile that allows landlock and seccomp"
SKOPEO = "apt-get install skopeo"
JDK = "openjdk-17-jdk-headless"
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
    return {
        "checks": [
            {"name": c.name, "for": c.purpose, "found": c.find(), "mend": c.mend} for c in (*_packages(), *_tools())
        ]
    }


def _packages() -> tuple[Check, ...]:
    wanted = (
        ("onnxruntime", "running graphs", "pip install onnxruntime"),
        ("onnx", "converting", "pip install onnx"),
        ("scikit-learn", "scikit-learn models", "pip install 'mlpack-toolkit[sklearn]'"),
        ("skl2onnx", "scikit-learn classes without a converter in mlpack", "pip install 'mlpack-toolkit[sklearn]'"),
        ("pandas", "models fitted on data frames", "pip install 'mlpack-toolkit[sklearn]'"),
        ("xgboost-cpu", "xgboost models", "pip install 'mlpack-toolkit[xgboost]'"),
        ("lightgbm", "lightgbm models", "pip install 'mlpack-toolkit[lightgbm]'"),
        ("catboost", "catboost models", "pip install 'mlpack-toolkit[catboost]'"),
        ("uvloop", "serving a bundle", "pip install 'mlpack-toolkit[serve]'"),
        ("docker", "replaying in a container image", "pip install 'mlpack-toolkit[image]'"),
        ("rpy2", "building R objects from Python", "pip install 'mlpack-toolkit[r]'"),
        ("uv", "locking and rebuilding environments", "pip install uv"),
        ("py-rattler", "rebuilding conda environments", "pip install 'mlpack-toolkit[conda]'"),
    )
    return tuple(Check(name, purpose, partial(_version, name), mend) for name, purpose, mend in wanted)


def _tools() -> tuple[Check, ...]:
    return (
        Check("sandbox", "isolating a model from programs, network and files", sandbox_found, SANDBOX),
        Check("Rscript", "R models", partial(_says, "Rscript", "--version"), "apt-get install r-base-core"),
        _engine(),
        Check("javac", "the Java project", partial(_says, "javac", "-version"), f"apt-get install {JDK}"),
        Check("mvn", "the Java project", partial(_says, "mvn", "--version"), "apt-get install maven"),
        Check("g++", "the C++ project", partial(_says, "g++", "--version"), "apt-get install g++"),
        Check("cmake", "the C++ project", partial(_says, "cmake", "--version"), "apt-get install cmake"),
        Check("json", "the C++ project's tests", _json_header, "apt-get install nlohmann-json3-dev"),
        Check("boost", "the C++ server, images of kind native", _boost, "apt-get install libboost-dev"),
        Check("headers", "the C++ project", _headers, "python -m mlpack_toolkit.packager.setup_headers"),
        Check("skopeo", "images on a base from a registry", partial(_says, "skopeo", "--version"), SKOPEO),
    )


def _engine() -> Check:
    """The check of the container engine itself, as its client answers also where no engine runs."""
    from ..images import engine

    version, why = engine(ENGINE_SECONDS)
    found = f"engine {version}" if version else ""
    return Check("docker", "container images", lambda: found, f"{_engine_fix(why)}  ({why})" if why else "")


def _engine_fix(why: str) -> str:
    if "pip install" in why:
        return "pip install 'mlpack-toolkit[image]'"
    if "permission denied" in why.lower():
        return 'sudo usermod -aG docker "$USER", then log in again'
    if os.environ.get("DOCKER_HOST"):
        return "unset DOCKER_HOST, or set it to an engine that answers on this machine"
    return "sudo systemctl start docker" if shutil.which("docker") else "apt-get install docker.io"


def _json_header() -> str:
    return _file("/usr/include/nlohmann/json.hpp")


def _boost() -> str:
    return _file("/usr/include/boost/version.hpp")


def _file(name: str) -> str:
    return name if Path(name).is_file() else ""


def _version(name: str) -> str:
    for candidate in (name, name.removesuffix("-cpu")):
        try:
            return metadata.version(candidate)
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
