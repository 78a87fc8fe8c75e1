"""The names that a model file makes its loader look up, read without running or loading anything.

Names decide what a loader may call, so a model of allowed names runs no code of its author's choosing. They do not make
its numbers sane: arrays inside may still be nonsense to the native code that reads them, hence the worker process.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from mlpack_toolkit.converters._trust.rules import NO_MODEL

from ..errors import ModelError, UntrustedError
from .advice import MAIN, advice
from .allowlist import Trust
from .machine import Machine, Trace
from .opcodes import run
from .reader import Reader, reader_of
from .result import Scan
from .skops_files import SCHEMA, scan_skops
from .values import Dtype, Fault, Final, Instance, Listing, Mapping
from .vouched import Vouched, vouched

__all__ = ["Scan", "Vouched", "require_trusted", "scan", "vouched"]


_NOTHING = Vouched()
_PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".joblib", ".sav", ".skops"})
_LZ4 = b"\x04\x22\x4d\x18"
_PROTO = b"\x80"
MOST_NAMES = 8


def scan(path: Path, allow: Sequence[str] = (), own: Vouched = _NOTHING) -> Scan:
    """What the file is by its content, and the names in it; `allow`: names or modules to trust besides;
    `own`: what the user's own modules define.

    Kinds: `pickle` (any loader), `joblib` (compressed, or raw arrays between the instructions: joblib alone may load
    it), `skops`, `other` (none of these: it must not be unpickled). Raises `ModelError` for a broken file.
    """
    try:
        with path.open("rb") as file:
            head = file.read(len(_LZ4))
            file.seek(0)
            found = _scan_file(path, file, head, Trust((*allow, *own.classes), own.functions))
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror or error}. Check the path.") from error
    if found.kind == "other" and path.suffix.lower() in _PICKLE_SUFFIXES:
        raise _broken(path, "it is neither a pickle nor a skops file")
    return found


def require_trusted(scan: Scan, path: Path) -> None:
    """Nothing. Raises `UntrustedError` when the file asks for names that nothing allows, or that nobody finds, or does
    with those that are allowed what no model does.

    A name of `__main__` was defined in the program that saved the model: no other can look it up, whatever is allowed.
    """
    refused = tuple(sorted({*scan.refused, *(name for name in scan.names if name.startswith(MAIN))}))
    if refused:
        told = advice(refused, scan.names, scan.root)
        said = f"{path} asks for names that are not trusted: {_some(refused)}. {told}."
        raise UntrustedError(said, names=list(refused))
    if scan.forbidden:
        raise UntrustedError(f"{path} {scan.forbidden}. {NO_MODEL}", names=[])


def _some(names: Sequence[str]) -> str:
    """The names in a sentence; of very many the first, for `error.names` and `mlpack inspect` list all."""
    more = len(names) - MOST_NAMES
    return f"{', '.join(names[:MOST_NAMES])} and {more} more" if more > 1 else ", ".join(names)


def _broken(path: Path, reason: str) -> ModelError:
    return ModelError(f"{path} cannot be read as a model: {reason}. Save the model again, or check the file.")


def _scan_file(path: Path, file: BinaryIO, head: bytes, trust: Trust) -> Scan:
    if not head:
        raise _broken(path, "it is empty")
    if head == _LZ4:
        raise _broken(path, "it is compressed with lz4, which is not supported; use zlib, gzip, bz2 or xz")
    if head.startswith(b"ZF"):
        raise _broken(path, "it was written by a joblib older than 0.10; load it there and save it with a newer one")
    try:
        if head.startswith(b"PK"):
            return _scan_zip(file, trust)
        return _scan_pickle(file, trust)
    except Fault as fault:
        raise _broken(path, str(fault)) from fault


def _scan_zip(file: BinaryIO, trust: Trust) -> Scan:
    trace = Trace(trust)
    try:
        with zipfile.ZipFile(file) as archive:
            if SCHEMA not in archive.namelist():
                return Scan("other")
            root = scan_skops(archive, trace)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise Fault(f"its zip archive is damaged ({error})") from error
    return _result("skops", trace, root)


def _scan_pickle(file: BinaryIO, trust: Trust) -> Scan:
    trace = Trace(trust)
    reader, compressed = None, False
    certain = False
    root = ""
    try:
        reader, compressed = reader_of(file)
        certain = reader.peek(1) == _PROTO
        root = _run_all(reader, trace)
    except Final:
        raise
    except Fault:
        if not trace.names and not certain:
            return Scan("other")
        if not trace.unresolved and not trust.refused(trace.names, trace.called):
            raise
    kind = "joblib" if compressed or trace.wrappers else "pickle"
    return _result(kind, trace, root)


def _run_all(reader: Reader, trace: Trace) -> str:
    """The class of the first pickle's value. All pickles in the file are scanned, though a loader reads only one."""
    root = _class_of(run(Machine(reader, trace)))
    while not reader.at_end():
        try:
            run(Machine(reader, trace))
        except Fault as fault:
            raise Fault(f"there is something behind its end ({fault})") from fault
    return root


def _class_of(value: Any) -> str:
    if isinstance(value, Instance):
        return value.of.dotted
    if isinstance(value, Dtype):
        return "numpy.dtype"
    known = {Mapping: "builtins.dict", Listing: "builtins.list", tuple: "builtins.tuple"}
    return known.get(type(value), "")


def _result(kind: str, trace: Trace, root: str) -> Scan:
    unknown = {"?"} if trace.unresolved else set()
    return Scan(
        kind,
        tuple(sorted({f"{module}.{name}" for module, name in trace.names} | unknown)),
        tuple(sorted({*trace.trust.refused(trace.names, trace.called), *unknown})),
        tuple(sorted({module.split(".")[0] for module, _ in trace.names})),
        root,
        dict(sorted(trace.versions.items())),
        _used(trace, "own"),
        _used(trace, "referred"),
        trace.forbidden,
    )


def _used(trace: Trace, use: str) -> tuple[str, ...]:
    return tuple(sorted(f"{module}.{name}" for module, name in trace.names if trace.trust.use(module, name) == use))
