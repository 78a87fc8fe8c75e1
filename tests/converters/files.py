"""Which converter reads a file, as `mlpack build` finds it: by the scanner that knows its content."""

from __future__ import annotations

from pathlib import Path

from mlpack_toolkit.converters import for_container
from mlpack_toolkit.converters.plugin import Converter
from mlpack_toolkit.packager.errors import ModelError
from mlpack_toolkit.packager.scan import scan


def for_file(path: Path) -> Converter | None:
    """The converter that reads the file; None where none does, or no scanner knows it."""
    try:
        return for_container(scan(path).kind, path)
    except ModelError:
        return None
