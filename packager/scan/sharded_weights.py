"""The index of weights in several safetensors files: which tensor is in which file, checked against the files."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from pathlib import Path

from ..errors import ModelError, UntrustedError
from .safetensors_files import LARGEST_HEADER, Header, header_of
from .torch_files import once
from .values import Fault

SUFFIX = ".safetensors"
MOST = 1000
"""Files that an index may name."""


def index_of(path: Path) -> Mapping[str, str]:
    """The file of each tensor, by the tensor's name. Raises `Fault` where the file says anything else."""
    if path.stat().st_size > LARGEST_HEADER:
        raise Fault("its index has more than 100 million bytes")
    try:
        plain = json.loads(path.read_bytes(), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Fault(f"its index is not readable JSON ({error})") from error
    found = plain.get("weight_map") if isinstance(plain, dict) else None
    if not isinstance(found, dict) or not found or not all(isinstance(each, str) for each in found.values()):
        raise Fault("its weight_map does not name a file for each tensor")
    if len(set(found.values())) > MOST:
        raise Fault(f"its index names more than {MOST} files")
    return found


def shards_of(path: Path) -> tuple[Path, ...]:
    """The files that the index names, sorted: all beside it, none a link, together with the tensors that it lists.

    Raises `UntrustedError` for a name that leaves the folder, and `ModelError` for files that are not as it says.
    """
    try:
        return tuple(_headers(path, index_of(path)))
    except Fault as fault:
        raise _broken(path, str(fault)) from fault
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror or error}. Check the path.") from error


def _headers(path: Path, index: Mapping[str, str]) -> Mapping[Path, Header]:
    folder = path.parent.resolve()
    found = {folder / name: _header(path, folder, name) for name in sorted(set(index.values()))}
    for shard, header in found.items():
        listed = {tensor for tensor, name in index.items() if name == shard.name}
        if other := sorted(listed ^ header.tensors.keys()):
            raise Fault(f"its index and {shard.name} do not agree on the tensor {other[0]!r}")
    return found


def _header(path: Path, folder: Path, name: str) -> Header:
    if Path(name).name != name or "\\" in name or "\0" in name or not name.endswith(SUFFIX):
        raise UntrustedError(
            f"{path} keeps weights in {name!r}, which is no safetensors file beside it: put the files into one folder, "
            "and name them in the index without a path.",
            names=[name],
        )
    try:
        plain = stat.S_ISREG((folder / name).lstat().st_mode)
    except OSError as error:
        raise Fault(f"its file {name!r} is missing") from error
    if not plain:
        raise UntrustedError(f"{path} keeps weights in {name!r}, which is a link or no plain file.", names=[name])
    try:
        return header_of(folder / name)
    except Fault as fault:
        raise Fault(f"in {name}, {fault}") from fault


def _broken(path: Path, reason: str) -> ModelError:
    return ModelError(f"{path} cannot be read as a model: {reason}. Save the model again, or check the file.")
