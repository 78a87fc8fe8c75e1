"""What is in a file of torch: a program, TorchScript, or weights for a module that the user's own code makes."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from ..spec import Unreadable

LEAST = (2, 10)
_OLD = (
    "torch {version} is older than 2.10, and its safe ways to load are not safe (CVE-2025-32434, CVE-2026-24747): give "
    "an interpreter with torch 2.10 or later (--python PATH)"
)


def load(path: Path, given: Mapping[str, Any]) -> Any:
    """The `ExportedProgram` or the module of a file that was scanned; raises `Unreadable`."""
    import torch

    require_new(torch.__version__)
    names = _members(path)
    if "archive_format" in names:
        _register(path)
        return torch.export.load(str(path))
    if "constants.pkl" in names or any(name.startswith("code/") for name in names):
        return torch.jit.load(str(path), map_location="cpu")
    return with_weights(given.get("factory", ""), weights_of(path, bool(names)))


def _register(path: Path) -> None:
    """Imports torchvision, which registers its operators, for a program that names one; raises `Unreadable`."""
    with zipfile.ZipFile(path) as archive:
        programs = [name for name in archive.namelist() if name.endswith("models/model.json")]
        if not any(b'"torch.ops.torchvision.' in archive.read(name) for name in programs):
            return
    try:
        import torchvision  # type: ignore[import-not-found, unused-ignore] # noqa: F401
    except ImportError as error:
        raise Unreadable(
            f"{path.name} has operators of torchvision, and this interpreter has none: install the torchvision that "
            "belongs to its torch, or give another interpreter (--python PATH)"
        ) from error


def require_new(version: str) -> None:
    """Nothing; raises `Unreadable` for a torch whose loaders of data can be made to run code."""
    if tuple(int(part) for part in version.split("+")[0].split(".")[:2]) < LEAST:
        raise Unreadable(_OLD.format(version=version))


def _members(path: Path) -> frozenset[str]:
    """The files of an archive, below its one folder; none of a file that is no archive."""
    if not zipfile.is_zipfile(path):
        return frozenset()
    with zipfile.ZipFile(path) as archive:
        return frozenset(name.partition("/")[2] for name in archive.namelist())


def weights_of(path: Path, is_archive: bool) -> dict[str, Any]:
    """The tensors of a state dict, of a safetensors file, or of the files that an index names, by name."""
    if not is_archive:
        from safetensors.torch import load_file

        found: dict[str, Any] = {}
        for shard in _shards(path):
            found.update(load_file(str(shard), device="cpu"))
        return found
    import torch

    try:
        loaded = torch.load(str(path), map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch raises UnpicklingError, RuntimeError and others
        first = str(error).splitlines()[0]
        raise Unreadable(f"{path.name} is no state dict, which torch.load(weights_only=True) reads: {first}") from error
    return _only_tensors(path, loaded)


def _shards(path: Path) -> list[Path]:
    """The safetensors file itself, or those beside it that an index names: an index begins as JSON, a safetensors file
    with a number of 8 bytes, of which the last ones are 0."""
    with path.open("rb") as file:
        head = file.read(8)
    if head[5:] == bytes(3):
        return [path]
    names = json.loads(path.read_bytes())["weight_map"].values()
    return [path.with_name(Path(name).name) for name in sorted(set(names))]


def _only_tensors(path: Path, loaded: Any) -> dict[str, Any]:
    import torch

    other = [
        f"{key!r} is of {type(value).__name__}" for key, value in loaded.items() if not isinstance(value, torch.Tensor)
    ]
    if other or not loaded:
        what = other[0] if other else "it is empty"
        raise Unreadable(
            f"{path.name} holds a dict that is no state dict ({what}): save the tensors alone, with "
            f"torch.save(module.state_dict(), FILE)"
        )
    return {str(key): value for key, value in loaded.items()}


def with_weights(factory: str, weights: Mapping[str, Any]) -> Any:
    """The module that the factory `module:function` makes, with these weights; raises `Unreadable`."""
    module = _made_by(factory)
    own = module.state_dict()
    _check_names(factory, own, weights)
    for name, value in weights.items():
        if own[name].shape != value.shape:
            raise Unreadable(
                f"the weights do not fit the module of {factory}: {name!r} is {list(value.shape)} in the file and "
                f"{list(own[name].shape)} in the module"
            )
    module.load_state_dict(dict(weights), strict=False)
    _hold_in_place(module, weights)
    return module


def _hold_in_place(module: Any, weights: Mapping[str, Any]) -> None:
    """Lets go of the copies: the module holds tensors that equal those of the file as they are mapped from it, so that
    processes which load the same file share its pages."""
    for name, own in module.state_dict(keep_vars=True).items():
        if name in weights and _is_same(own, weights[name]):
            own.data = weights[name]


def _is_same(own: Any, other: Any) -> bool:
    """Whether two tensors are of one type and shape, and the same bits."""
    import torch

    plain = type(own) in (torch.Tensor, torch.nn.Parameter) and own.device.type == "cpu" and own.dtype == other.dtype
    if not plain or own.shape != other.shape or not own.is_contiguous() or not other.is_contiguous():
        return False
    bits = [each.detach().reshape(-1).view(torch.uint8) for each in (own, other)]
    return bool(torch.equal(*bits))


def _check_names(factory: str, own: Mapping[str, Any], weights: Mapping[str, Any]) -> None:
    """Raises `Unreadable` where module and file name other tensors; of tensors that are one, the file may name one."""
    there = {own[name].data_ptr() for name in weights if name in own and own[name].numel()}
    missing = [name for name in own if name not in weights and own[name].data_ptr() not in there]
    unexpected = [name for name in weights if name not in own]
    told = [f"the file lacks {_some(missing)}"] if missing else []
    told += [f"the module lacks {_some(unexpected)}"] if unexpected else []
    if told:
        raise Unreadable(f"the weights do not fit the module of {factory}: {' and '.join(told)}")


def _some(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:3]))
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def _made_by(factory: str) -> Any:
    import torch

    place, _, name = factory.partition(":")
    if not place or not name:
        raise Unreadable(
            "the file holds weights without a module: write a function without arguments that makes the module, and "
            "give its folder and its name with --code DIR -O torch.factory=module:function"
        )
    try:
        function = getattr(import_module(place), name)
    except (ImportError, AttributeError) as error:
        raise Unreadable(f"torch.factory={factory} is not found in the folders of --code: {error}") from error
    try:
        module = function()
    except Exception as error:
        raise Unreadable(f"{factory}() fails: {type(error).__name__}: {error}") from error
    if not isinstance(module, torch.nn.Module):
        raise Unreadable(f"{factory}() gives a {type(module).__name__}, not a torch.nn.Module")
    return module
