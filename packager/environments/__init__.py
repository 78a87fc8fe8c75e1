"""Environments: what a model was made in, recorded beside its build and made again from a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack_toolkit.converters.spec import Requirement

if TYPE_CHECKING:
    from .python.rebuild import Interpreter
    from .recording import Given, Recorded, Recording

FOLDER = "environment"
NEEDS = (
    Requirement("uv>=0.9", purpose="locking and rebuilding environments"),
    Requirement("py-rattler>=0.28,<0.29", "conda", "rebuilding conda environments"),
)


def record(python: str) -> Recording:
    """A recording of the interpreter's environment, under way."""
    from .recording import Recording

    return Recording(python)


def given_lock(path: Path) -> Given:
    """The user's own lock file, to be kept and held against what is installed; `UsageError` where it is none."""
    from .recording import Given

    return Given.read(path)


def recorded(told: Mapping[str, Any], vendor: bool, given: Mapping[str, Any], scratch: Path) -> Recorded:
    """The environment of a model that runs in an interpreter of its own, from what that told; `given`: its options."""
    from .r import lock as r

    return r.recorded(told, vendor, given.get("repository", ""), scratch)


def rebuild(
    bundle: Path, wanted: dict[str, Any], into: Path, python: str | None, given: Mapping[str, Any] | None = None
) -> Interpreter:
    """The interpreter of a fresh environment in `into`, as the bundle's lock says; whole, or not there.

    `given`: the options of the model's framework.
    """
    from dataclasses import replace

    from .conda import env as conda
    from .python.rebuild import complete, find_interpreter, rebuild, rebuild_conda
    from .r import lock as r
    from .r.rebuild import rebuild_r

    if (bundle / r.LOCK).is_file():
        return rebuild_r(bundle, wanted, into, (given or {}).get("rscript"))
    installed = complete(bundle, wanted)
    if (bundle / conda.LOCK).is_file():
        made = rebuild_conda(bundle, into, wanted["interpreter"]["version"])
    else:
        made = rebuild(bundle, into, find_interpreter(wanted["interpreter"], python))
    return replace(made, installed=installed)
