"""Records a model's environment during its build and rebuilds it from a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .python.rebuild import Interpreter
    from .recording import Given, Recorded, Recording

FOLDER = "environment"


def record(python: str) -> Recording:
    """Starts recording the interpreter's environment."""
    from .recording import Recording

    return Recording(python)


def given_lock(path: Path) -> Given:
    """The user's own lock file, to be kept and compared with the environment; `UsageError` where it is no lock."""
    from .recording import Given

    return Given.read(path)


def recorded(told: dict[str, Any], vendor: bool, repository: str, scratch: Path) -> Recorded:
    """The environment of a model that runs in R, from R's reply."""
    from .r import lock as r

    return r.recorded(told, vendor, repository, scratch)


def check_repository(place: str) -> None:
    """Raises `UsageError` where `place` is no package repository."""
    from .r.sources import check_repository

    check_repository(place)


def rebuild(
    bundle: Path, wanted: dict[str, Any], into: Path, python: str | None, rscript: str | None = None
) -> Interpreter:
    """The interpreter of a new environment in `into`, made from the bundle's lock; complete, or not there at all."""
    from dataclasses import replace

    from .conda import env as conda
    from .python.rebuild import complete, find_interpreter, rebuild, rebuild_conda
    from .r import lock as r
    from .r.rebuild import rebuild_r

    if (bundle / r.LOCK).is_file():
        return rebuild_r(bundle, wanted, into, rscript)
    installed = complete(bundle, wanted)
    if (bundle / conda.LOCK).is_file():
        made = rebuild_conda(bundle, into, wanted["interpreter"]["version"])
    else:
        made = rebuild(bundle, into, find_interpreter(wanted["interpreter"], python))
    return replace(made, installed=installed)
