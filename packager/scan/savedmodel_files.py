"""SavedModels of TensorFlow, read without it: their operators, signatures and the files beside them."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files as resources
from pathlib import Path, PurePosixPath

from ..errors import ModelError, UntrustedError
from .values import Fault
from .wire import fields, parts, text

MAIN = "saved_model.pb"
FOLDERS = ("variables", "assets")
BESIDE = ("fingerprint.pb",)
LARGEST = 1 << 31
MOST_FILES = 10_000
_META, _GRAPH, _SIGNATURE, _ASSET = 2, 2, 5, 6
_NODE, _LIBRARY = 1, 2
_SAVERS = ("__inference__traced_save", "__inference__traced_restore")
_SAVER_OPERATORS = frozenset(["SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename", "DisableCopyOnRead"])
_OF_ASSETS = "InitializeTableFromTextFileV2"
"""The operator that reads an asset, and without one whatever file a text of the graph names."""
_TYPES = (
    "? float32 float64 int32 uint8 int16 int8 string complex64 int64 bool qint8 quint8 qint32 bfloat16 qint16 "
    "quint16 uint16 complex128 float16 resource variant uint32 uint64"
)


@dataclass(frozen=True)
class Tensor:
    """An input or output of a signature; a size of -1 is free, `shape` None has no known rank."""

    name: str
    dtype: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class SavedModel:
    """`operators`: how many nodes of each. `functions`: the names of its own. `signatures`: inputs and outputs by name.

    `version`: of the TensorFlow that wrote it. `savers`: operators of the functions that write and read checkpoints.
    """

    operators: dict[str, int] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)
    signatures: dict[str, tuple[tuple[Tensor, ...], tuple[Tensor, ...]]] = field(default_factory=dict)
    assets: list[str] = field(default_factory=list)
    savers: set[str] = field(default_factory=set)
    version: list[str] = field(default_factory=list)


@cache
def known_operators() -> frozenset[str]:
    """Operators that compute, or hold variables and tables: none opens a file, a socket or Python."""
    return frozenset(resources(__package__).joinpath("tensorflow_operators.txt").read_text("utf-8").split())


def read(path: Path) -> SavedModel:
    """What a `saved_model.pb` says. Raises `Fault`."""
    if path.stat().st_size > LARGEST:
        raise Fault("it is larger than 2 GiB, more than a message of protobuf can be")
    data = memoryview(path.read_bytes())
    found = SavedModel()
    metas = list(parts(data, _META))
    if not metas:
        raise Fault("it holds no graph")
    for meta in metas:
        for info in parts(meta, 1):
            found.version.append(text(info, 5))
        for graph in parts(meta, _GRAPH):
            _graph(graph, found)
        for entry in parts(meta, _SIGNATURE):
            for signature in parts(entry, 2):
                found.signatures[text(entry, 1)] = tuple(_tensors(signature, n) for n in (1, 2))  # type: ignore[assignment]
        found.assets.extend(text(asset, 2) for asset in parts(meta, _ASSET))
    return found


def _graph(graph: memoryview, found: SavedModel) -> None:
    for node in parts(graph, _NODE):
        _count(text(node, 2), "", found)
    for library in parts(graph, _LIBRARY):
        for function in parts(library, 1):
            name = next((text(signature, 1) for signature in parts(function, 1)), "")
            found.functions.add(name)
            for node in parts(function, 3):
                _count(text(node, 2), name, found)


def _count(operator: str, function: str, found: SavedModel) -> None:
    if operator in _SAVER_OPERATORS and (not function or function.startswith(_SAVERS)):
        found.savers.add(operator)
    else:
        found.operators[operator] = found.operators.get(operator, 0) + 1


def _tensors(signature: memoryview, number: int) -> tuple[Tensor, ...]:
    """The tensors of one side of a signature, sorted."""
    found = []
    for entry in parts(signature, number):
        for info in parts(entry, 2):
            kind = next((value for n, value in fields(info) if n == 2 and isinstance(value, int)), 0)
            shape = next((_shape(each) for each in parts(info, 3)), ())
            found.append(Tensor(text(entry, 1), dict(enumerate(_TYPES.split())).get(kind, "?"), shape))
    return tuple(sorted(found, key=lambda each: each.name))


def _shape(shape: memoryview) -> tuple[int, ...] | None:
    if any(number == 3 and value for number, value in fields(shape)):
        return None
    sizes = []
    for dim in parts(shape, 2):
        size = next((value for n, value in fields(dim) if n == 1 and isinstance(value, int)), 0)
        sizes.append(size - (1 << 64) if size >> 63 else size)
    return tuple(sizes)


def unknown(found: SavedModel) -> tuple[str, ...]:
    """Operators that are neither known nor functions of the file's own, sorted."""
    known = known_operators() if found.assets else known_operators() - {_OF_ASSETS}
    return tuple(sorted(op for op in found.operators if op not in known and op not in found.functions))


def beside(path: Path) -> tuple[Path, ...]:
    """The files of the folder that TensorFlow reads; raises `UntrustedError` for a name or a link that leaves it."""
    folder = path.parent.resolve()
    try:
        assets = read(path).assets
    except Fault as fault:
        raise ModelError(f"{path} cannot be read as a SavedModel: {fault}. Export the model again.") from fault
    for name in assets:
        parts_of = PurePosixPath(name).parts
        if not name or "\\" in name or PurePosixPath(name).is_absolute() or ".." in parts_of:
            raise UntrustedError(f"{path} names an asset {name[:80]!r}, which leaves its folder.", names=[name[:80]])
    found = [each for each in (folder / name for name in BESIDE) if each.is_file() and not each.is_symlink()]
    for name in FOLDERS:
        found += _below(path, folder / name)
    lost = [name for name in assets if folder / "assets" / name not in found]
    if lost:
        raise ModelError(f"{path} names the asset {lost[0]!r}, which is not in its folder: export the model again.")
    return tuple(sorted(found))


def _below(path: Path, folder: Path) -> Iterator[Path]:
    if folder.is_symlink():
        raise UntrustedError(f"{path}: {folder.name} is a link: copy the folder itself.", names=[folder.name])
    for count, each in enumerate(sorted(folder.rglob("*")) if folder.is_dir() else ()):
        mode = each.lstat().st_mode
        if count > MOST_FILES or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise UntrustedError(
                f"{path}: {each.name} beside it is no plain file: copy the file itself.", names=[each.name]
            )
        if stat.S_ISREG(mode):
            yield each
