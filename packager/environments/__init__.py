"""Records a model's environment during its build and rebuilds it from a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack_toolkit.converters.needs import Requirement

if TYPE_CHECKING:
    from .python.rebuild import Interpreter
    from .recording import Given, Recorded, Recording

NEEDS = (
    Requirement("uv>=0.9", purpose="locking and rebuilding environments"),
    Requirement("py-rattler>=0.28,<0.29", "conda", "rebuilding conda environments"),
)


def record(python: str) -> Recording:
    """Starts recording the interpreter's environment."""
    from .recording import Recording

    return Recording(python)


def given_lock(path: Path) -> Given:
    """The user's own lock file, for the bundle and for a comparison; `UsageError` where it is no lock."""
    from .recording import Given

    return Given.read(path)


def recorded(told: Mapping[str, Any], vendor: bool, given: Mapping[str, Any], scratch: Path) -> Recorded:
    """The environment of a model that runs in an interpreter of its own. `told`: that interpreter's report; `given`:
    the options of the model's framework."""
    from .r import lock as r

    return r.recorded(told, vendor, given.get("repository", ""), scratch)


def rebuild(
    folder: Path, wanted: dict[str, Any], into: Path, python: str | None, given: Mapping[str, Any] | None = None
) -> Interpreter:
    """Makes the environment of the lock in `folder` at `into`, completely or not at all; returns its interpreter.

    `given`: the options of the model's framework.
    """
    from dataclasses import replace

    from .conda import env as conda
    from .python.rebuild import complete, find_interpreter, rebuild, rebuild_conda
    from .r import lock as r
    from .r.rebuild import rebuild_r

    if (folder / r.LOCK).is_file():
        return rebuild_r(folder, wanted, into, (given or {}).get("rscript"))
    installed = complete(folder, wanted)
    if (folder / conda.LOCK).is_file():
        made = rebuild_conda(folder, into, wanted["interpreter"]["version"])
    else:
        made = rebuild(folder, into, find_interpreter(wanted["interpreter"], python))
    return replace(made, installed=installed)
