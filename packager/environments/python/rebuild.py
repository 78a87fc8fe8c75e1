"""Rebuilds a Python environment from a bundle's lock: finds the interpreter, installs the wheels by digest with uv."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...data.bombs import is_bomb
from ...errors import DamagedError, EnvironmentFault, MissingToolError, UsageError
from ...original.interpreter import check_interpreter
from ...paths import beside, program
from ..conda import env as conda
from . import debian
from .pylock import read_pylock, requirements
from .uv import last_words, uv


@dataclass(frozen=True)
class Interpreter:
    """An installed interpreter. `exact`: it has the exact version of the captured one. `rscript`: for an R model, the
    program that runs it; `path` is then empty. `installed`: the number of distributions in the new environment."""

    path: str
    version: str
    exact: bool
    rscript: str = ""
    installed: int = 0

    @property
    def given(self) -> dict[str, str]:
        """The options of the model's framework that make it run the original here."""
        return {"rscript": self.rscript} if self.rscript else {}


def find_interpreter(wanted: Mapping[str, Any], given: str | None) -> Interpreter:
    """The given interpreter, else one of the exact version, else one of the same minor version, installed or from an
    earlier Debian; else `EnvironmentFault`. `MissingToolError` where the given one does not start."""
    if given is not None:
        check_interpreter(given)
    version, kind = str(wanted["version"]), str(wanted["implementation"])
    minor = version.rpartition(".")[0]
    found = _installed(kind) if given is None else _one(given, kind)
    fitting = [each for each in found if each[0].rpartition(".")[0] == minor]
    if fitting:
        return _first(sorted(fitting, key=lambda each: each[0] != version), version)
    have = ", ".join(sorted({each[0] for each in found})) or "none"
    hint = f"install {version}, for example by `uv python install {version}` or as your system's python{minor}"
    fault = f"there is no {kind} {minor} here (found: {have})"
    if given is None and kind == "CPython" and debian.offers(minor):
        try:
            return _first(_one(str(debian.fetched(minor)), kind), version)
        except MissingToolError as error:
            fault += f", and Debian's cannot be fetched: {error}"
    raise EnvironmentFault(f"{fault}: {hint}, or give it with --python")


def _first(found: Sequence[tuple[str, str]], version: str) -> Interpreter:
    return Interpreter(found[0][1], found[0][0], found[0][0] == version)


def _one(given: str, kind: str) -> list[tuple[str, str]]:
    """Version and path of the interpreter that the user gave."""
    script = "import platform; print(platform.python_implementation(), platform.python_version())"
    done = subprocess.run([program(given), "-c", script], capture_output=True, text=True, timeout=60)
    found = done.stdout.split()
    return [(found[1], program(given))] if done.returncode == 0 and found[:1] == [kind] else []


def _installed(kind: str) -> list[tuple[str, str]]:
    """Versions and paths of the interpreters that uv and pyenv list."""
    listing = uv("python", "list", "--only-installed", "--all-versions", "--output-format", "json").stdout
    found = [(p["version"], p["path"]) for p in json.loads(listing or "[]") if p["implementation"] == kind.lower()]
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    if kind == "CPython":
        found += [(path.parts[-3], str(path)) for path in sorted(root.glob("versions/[0-9]*/bin/python"))]
    return found


def complete(folder: Path, wanted: Mapping[str, Any]) -> int:
    """The number of distributions in the lock; `EnvironmentFault` where it lacks one that the model needs."""
    from packaging.utils import canonicalize_name

    locked = {p["name"] for p in read_pylock(folder)}
    absent = [
        each
        for each in wanted["distributions"]
        if each.get("origin") != "conda" and canonicalize_name(each["name"]) not in locked
    ]
    lacking = [each for each in absent if each.get("needed")]
    if lacking:
        named = ", ".join(f"{each['name']} {each['version']}" for each in lacking)
        raise EnvironmentFault(
            f"the bundle's lock has no wheel for {named}, which the model needs (its manifest says why): "
            "build the bundle again with --vendor"
        )
    return len(wanted["distributions"]) - len(absent)


def rebuild(folder: Path, into: Path, interpreter: Interpreter) -> Interpreter:
    """Makes the environment at `into`, completely or not at all; returns its interpreter. Vendored wheels need no
    network."""
    if into.exists():
        raise UsageError(f"{into} exists already: give another folder, or remove it")
    into.absolute().parent.mkdir(parents=True, exist_ok=True)
    with beside(into.absolute()) as scratch:
        environment = scratch / "environment"
        made = uv("venv", "--relocatable", "--python", interpreter.path, environment)
        if made.returncode:
            raise EnvironmentFault(f"no environment can be made of {interpreter.path}: {last_words(made)}")
        _install(folder, environment / "bin" / "python", "sync")
        environment.rename(into)
    return replace(interpreter, path=str(into / "bin" / "python"))


def rebuild_conda(folder: Path, into: Path, version: str) -> Interpreter:
    """Rebuilds the conda environment with pip's packages in it; returns its interpreter."""
    path = conda.rebuild(folder, into, finish=lambda python: _install(folder, python, "install"))
    return Interpreter(str(path), version, True)


def _install(folder: Path, interpreter: Path, how: str) -> None:
    """Installs the pins of the lock. `how`: `sync` for an environment that contains nothing else."""
    packages = read_pylock(folder)
    wheels = [wheel for package in packages for wheel in package["wheels"]]
    vendored = all("path" in wheel and _is_there(folder, wheel) for wheel in wheels)
    public = all("url" in wheel for wheel in wheels)
    if not wheels:
        return
    python = ("--python", interpreter)
    listed = () if how == "sync" else ("--no-deps", "--requirements")
    if vendored or public:
        source = folder / "pylock.toml"
        offline = ("--offline",) if vendored else ()
        done = uv("pip", how, *python, *offline, "--preview-features", "pylock", *listed, source)
    else:
        source = folder / "pins.txt"  # the folder is our own copy
        source.write_text(requirements(packages), "utf-8")
        done = uv("pip", how, *python, "--require-hashes", "--only-binary", ":all:", *listed, source)
    if done.returncode:
        damaged = "ash mismatch" in done.stderr or "lockfile records" in done.stderr
        fault = DamagedError if damaged else EnvironmentFault
        raise fault(f"the environment cannot be installed from {source.name}: {last_words(done)}")


def _is_there(folder: Path, wheel: Mapping[str, Any]) -> bool:
    """Whether the bundle contains the wheel; `DamagedError` where it is not the one that the lock names."""
    path = folder / str(wheel["path"])
    if path.parent != folder / "wheels":
        raise DamagedError(f"pylock.toml names a wheel outside of the bundle: {wheel['path']}")
    if not path.is_file():
        return False
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != wheel["hashes"]["sha256"]:
        raise DamagedError(f"the wheel {path.name} is not the one that pylock.toml names: its sha256 differs")
    try:
        bomb = is_bomb(path)
    except zipfile.BadZipFile as error:
        raise DamagedError(f"{path.name} is not a readable wheel: {error}") from error
    if bomb:
        raise DamagedError(f"the wheel {path.name} unpacks to far more than a wheel does: it is not installed")
    return True
