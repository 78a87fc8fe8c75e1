"""What a user says of a model besides its file: its name in a workspace, levels of factors, arguments of `predict`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlpack_toolkit.converters.rds import Fault

from .data.rds_frames import levels_in
from .errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from .commands.build import Request


def given_of(request: Request) -> dict[str, Any]:
    """What the worker is told and the manifest keeps; empty where the user said nothing."""
    found = {
        "object": request.object,
        "levels": _levels(request.training) if request.training else {},
        "arguments": dict(_argument(each) for each in request.arguments),
    }
    return {name: value for name, value in found.items() if value}


def _argument(said: str) -> tuple[str, float | str]:
    """Name and value of `NAME=VALUE`; a number where it is one."""
    name, equals, value = said.partition("=")
    if not equals or (not name.isidentifier() and not name.replace(".", "_").isidentifier()):
        raise UsageError(f"--argument {said} must be NAME=VALUE, like s=0.01")
    try:
        return name, float(value)
    except ValueError:
        return name, value


def _levels(path: Path) -> dict[str, list[str]]:
    """The levels of the training frame's factors; its cells are not kept."""
    try:
        return levels_in(path)
    except Fault as fault:
        raise UsageError(f"{path} is no data frame that saveRDS wrote: {fault}") from fault
