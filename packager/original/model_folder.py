"""A folder that is one model: the main file in it stands for the folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..scan.containers import scanners

if TYPE_CHECKING:
    from ..request import Request


def main_file(folder: Path) -> Path | None:
    """The main file of a folder that is a model; of a folder of numbered versions, that of the latest one.

    None for any other folder.
    """
    for name in (each.main for each in scanners() if each.main):
        if (folder / name).is_file():
            return folder / name
        versions = [each for each in folder.iterdir() if each.name.isdecimal() and (each / name).is_file()]
        if versions:
            return max(versions, key=lambda each: int(each.name)) / name
    return None


def opened(request: Request) -> Request:
    """The request with the folder's main file, under the folder's name; unchanged for any other model."""
    found = main_file(request.model) if request.model.is_dir() else None
    if found is None:
        return request
    return replace(request, model=found, name=request.name or request.model.resolve().name)
