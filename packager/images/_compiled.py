"""Compiles the server of a C++ project on this machine and caches it for the next image."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from mlpack_toolkit import runtimes
from mlpack_toolkit.runtimes.spec import Runtime, Step

from ..bundle.reader import Bundle
from ..cache import seal, whole
from ..errors import MissingToolError
from ..paths import kept
from ..setup_headers import check_kept
from ..travel import lay_out
from ._project import rendered
from ._rootfs import Base, loader

SECONDS = 900
WORDS = 20
"""Lines of a tool's output that an error message quotes."""
COMPILER = "c++"
ASIDE = ("model/", "tests/")
"""Parts of a project that its server is not built from."""


def compiled(bundle: Bundle, kind: str, base: Base, scratch: Path) -> Path:
    """The compiled server, which starts with the base's libraries. Raises `ConversionError` and `MissingToolError`."""
    runtime = runtimes.of_image(kind)
    project = rendered(bundle, runtime, {})  # rendered anew: the bundle's project may be older than the server
    files = {path: content for path, content in project.items() if not path.startswith(ASIDE)}
    place = kept() / "images" / f"server-{_recipe(files)}"
    if not whole(place):
        made = _made(files, runtime, scratch)
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.with_name(f"{place.name}.{os.getpid()}")
        shutil.copyfile(made, beside)
        beside.chmod(0o755)
        beside.replace(place)
        seal(place)
    _check(place, base)
    return place


def _recipe(files: Mapping[str, bytes]) -> str:
    """A digest of the program's sources and the compiler."""
    compiler = os.environ.get("CXX") or COMPILER
    version = ""
    if shutil.which(compiler):
        version = subprocess.run([compiler, "--version"], capture_output=True, text=True, timeout=60).stdout
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    return hashlib.sha256(json.dumps([version, digests], sort_keys=True).encode()).hexdigest()[:16]


def _made(files: Mapping[str, bytes], runtime: Runtime, scratch: Path) -> Path:
    check_kept()
    project, work = (scratch / "project").absolute(), (scratch / "work").absolute()
    lay_out(files, project)
    work.mkdir()
    assert runtime.program is not None
    for step in runtime.program(project, work):
        _run(step, project, runtime.title)
    return work / "server"


def _run(step: Step, project: Path, title: str) -> None:
    if shutil.which(step.tool) is None:
        raise MissingToolError(f"the server of a {title} needs {step.tool}, which is not installed: {step.install}")
    command = [step.tool, *step.arguments]
    environment = {**os.environ, **(step.environment or {})}
    try:
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise MissingToolError(f"the server was not compiled within {SECONDS} s") from None
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-WORDS:])
        raise MissingToolError(f"the server cannot be compiled here; it needs {step.install}. It said:\n{last}")


def _check(program: Path, base: Base) -> None:
    """Starts the program with the base's libraries; raises `MissingToolError` where they are too old for it."""
    places = [base.tree / folder for folder in base.libraries]
    command = (loader(places), "--library-path", ":".join(map(str, places)), program, "version")
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, env={})
    if done.returncode:
        said = next(iter(done.stderr.strip().splitlines()), f"exit {done.returncode}")
        raise MissingToolError(
            f"the server compiled here does not start on {base.title} ({said}): "
            "make the image on a machine with that Debian release, or use --kind oci"
        )
