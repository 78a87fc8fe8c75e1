"""The files that an ONNX model keeps its numbers in, checked before anything opens them."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

from ..errors import ModelError, UntrustedError

SIZE_LIMIT = (2 << 30) - 1
"""Bytes that a protobuf message may have."""


def check_external_data(path: Path) -> tuple[Path, ...]:
    """The external files of an ONNX model, sorted; all lie in the model's folder, none is reached by a link.

    Raises `UntrustedError` for a location that leaves the folder, `ModelError` for a broken file.
    """
    folder = path.parent.resolve()
    found = {_checked(path, folder, tensor) for tensor in _tensors(_read(path)) if _is_external(tensor)}
    return tuple(sorted(found))


def _read(path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise ModelError(f"{path} is larger than 2 GiB, more than an ONNX file can be. Use external data for it.")
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror or error}. Check the path.") from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, RuntimeError) as error:
        raise _broken(path, "it is not a protobuf message") from error
    if not model.HasField("graph"):
        raise _broken(path, "it holds no graph")
    return model


def _broken(path: Path, reason: str) -> ModelError:
    return ModelError(f"{path} cannot be read as an ONNX model: {reason}. Export the model again, or check the file.")


def _tensors(message: Any) -> Iterator[Any]:
    """Every tensor anywhere in a message: initializers, attributes, subgraphs, functions, and fields yet to come."""
    from onnx import TensorProto

    todo = [message]
    while todo:
        part = todo.pop()
        if isinstance(part, TensorProto):
            yield part
            continue
        for field, value in part.ListFields():
            if field.type == field.TYPE_MESSAGE:
                todo.extend(value if field.is_repeated else [value])


def _is_external(tensor: Any) -> bool:
    return bool(tensor.external_data) or tensor.data_location == tensor.EXTERNAL


def _checked(path: Path, folder: Path, tensor: Any) -> Path:
    """The file that holds this tensor."""
    name = tensor.name or "without a name"
    entries = [(entry.key, entry.value) for entry in tensor.external_data]
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
