"""Examples in a framework's own format: scanned here, read in the model's process, which has the framework."""

from __future__ import annotations

from pathlib import Path

from mlpack_toolkit import converters
from mlpack_toolkit.converters.messages import Read

from ..errors import UsageError
from ..original.replies import tensors_in
from ..original.source import take_source
from ..original.worker import Worker
from .readers import Example, check_file, of_arrays

FOLDER = "example"


def is_of_framework(path: Path) -> bool:
    """Whether the file is of a kind that only a framework can read, by its suffix."""
    suffix = path.suffix.lower()
    return any(suffix in converters.load(name).probing.suffixes for name in converters.names())


def check_example(path: Path) -> None:
    """Raises `UsageError` unless the file exists and is of a kind that contains rows or tensors."""
    if not is_of_framework(path):
        check_file(path)
    elif not path.is_file():
        raise UsageError(f"there is no file {path}")


def read_in(worker: Worker, path: Path, scratch: Path) -> Example:
    """The tensors of the file, read by a worker that has loaded its model; the file is a copy out of its reach."""
    return _read(worker, str(take_source(path, scratch.with_name(FOLDER), ()).files[0]), scratch)


def made_by(worker: Worker, scratch: Path) -> Example:
    """The example that a model makes of what it knows, where the user gives none."""
    return _read(worker, "", scratch)


def _read(worker: Worker, example: str, scratch: Path) -> Example:
    out = scratch / "tensors.npz"
    worker.call(Read(example, str(out)))
    return of_arrays(tensors_in(out))
