"""A folder that is one model: the file in it that stands for all, and whether it makes its own example."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mlpack_toolkit import converters

from ..request import Request
from ..scan.containers import scanners


def main_file(path: Path) -> Path:
    """The file that stands for the folder; of a folder of numbered versions, that of the latest one.

    Any other path as it is.
    """
    if not path.is_dir():
        return path
    for name in (each.main for each in scanners() if each.main):
        if (path / name).is_file():
            return path / name
        versions = [each for each in path.iterdir() if each.name.isdecimal() and (each / name).is_file()]
        if versions:
            return max(versions, key=lambda each: int(each.name)) / name
    return path


def makes_example(path: Path) -> bool:
    """Whether a model of its own kind makes an example, so that the user need not."""
    main = main_file(path)
    kind = next((scanner.name for scanner in scanners() if scanner.main and scanner.main == main.name), "")
    converter = converters.for_container(kind, main) if kind and main.is_file() else None
    return converter is not None and converter.probing.example is not None


def opened(request: Request) -> Request:
    """The request with the main file and the name of the folder; unchanged for a model that is one file."""
    main = main_file(request.model)
    if main == request.model:
        return request
    return replace(request, model=main, name=request.name or request.model.resolve().name)
