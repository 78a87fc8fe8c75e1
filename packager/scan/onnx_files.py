"""Checks the external data files of an ONNX model before anything opens them."""

from __future__ import annotations

import stat
from pathlib import Path, PureWindowsPath

from mlpack_toolkit.converters.graph_file import External, NoGraph, external_tensors

from ..errors import ModelError, UntrustedError


def check_external_data(path: Path) -> tuple[Path, ...]:
    """The external files of an ONNX model, sorted; all are in the model's folder, and none is reached by a link.

    Raises `UntrustedError` for a location that leaves the folder, `ModelError` for a broken file.
    """
    folder = path.parent.resolve()
    try:
        found = {_checked(path, folder, tensor) for tensor in external_tensors(path)}
    except NoGraph as error:
        raise _broken(path, str(error)) from error
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror or error}. Check the path.") from error
    return tuple(sorted(found))


def _broken(path: Path, reason: str) -> ModelError:
    return ModelError(f"{path} cannot be read as an ONNX model: {reason}. Export the model again, or check the file.")


def _checked(path: Path, folder: Path, tensor: External) -> Path:
    """The file that holds this tensor."""
    name, entries = tensor.tensor or "without a name", tensor.entries
    if len(dict(entries)) != len(entries) or not dict(entries).get("location"):
        raise _broken(path, f"the external data of tensor {name} has no single location")
    location = dict(entries)["location"]
    if not _stays_below(folder, location):
        raise UntrustedError(
            f"{path} keeps tensor {name} in {location!r}, which leaves the model's folder or goes over a link. "
            "Put the file itself beside the model and save the model with a relative path.",
            names=[location],
        )
    file: Path = folder / location
    _check_extent(path, file, location, dict(entries))
    return file


def _stays_below(folder: Path, location: str) -> bool:
    windows = PureWindowsPath(location)
    parts = location.split("/")
    if windows.drive or windows.root or "\\" in location or "\0" in location or {"", "."} & set(parts[1:]):
        return False
    if ".." in parts or location.startswith("*"):
        return False
    try:
        return (folder / location).resolve() == folder / location
    except (OSError, RuntimeError, ValueError):
        return False


def _check_extent(path: Path, file: Path, location: str, entries: dict[str, str]) -> None:
    try:
        status = file.lstat()
    except OSError as error:
        raise _broken(path, f"its external data {location!r} is missing") from error
    if not stat.S_ISREG(status.st_mode):
        raise _broken(path, f"its external data {location!r} is no plain file")
    numbers = [entries.get(key, "0") or "0" for key in ("offset", "length")]
    if any(not (number.isascii() and number.isdigit() and len(number) < 19) for number in numbers):
        raise _broken(path, f"the place of a tensor in {location!r} is no number")
    if sum(map(int, numbers)) > status.st_size:
        raise _broken(path, f"its external data {location!r} is too short")
