"""A folder that is one model: the file in it that stands for all, and whether it makes its own example."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlpack_toolkit import converters

from ..scan.containers import scanners

if TYPE_CHECKING:
    from ..request import Request


def main_file(path: Path) -> Path:
    """The file that stands for the folder; any other path as it is."""
    if not path.is_dir():
        return path
    names = (scanner.folder for scanner in scanners() if scanner.folder)
    return next((path / name for name in names if (path / name).is_file()), path)


def makes_example(path: Path) -> bool:
    """Whether a model of its own kind makes an example, so that the user need not."""
    main = main_file(path)
    kind = next((scanner.name for scanner in scanners() if scanner.folder and scanner.folder == main.name), "")
    converter = converters.for_container(kind, main) if kind and main.is_file() else None
    return converter is not None and converter.probing.example is not None


def of_folder(request: Request) -> Request:
    """The request with the main file and the name of the folder; unchanged for a model that is one file."""
    main = main_file(request.model)
    if main == request.model:
        return request
    return replace(request, model=main, name=request.name or request.model.resolve().name)
