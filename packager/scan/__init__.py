"""The names that a model file makes its loader look up, read without running or loading anything.

Names decide what a loader may call, so a model with allowed names only runs no code of its author's choosing. Its
numbers may still be invalid for the native code that reads them, hence the worker process.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters._trust.rules import NO_MODEL

from ..errors import ModelError, UntrustedError
from .advice import MAIN, advice
from .allowlist import Trust
from .containers import load, names, scanners
from .foreign import refusal
from .result import Scan
from .scanner import HEAD, Scanner
from .values import Fault
from .vouched import Vouched, vouched

__all__ = ["Scan", "Vouched", "beside", "look", "require_own", "require_trusted", "scan", "vouched"]


_NOTHING = Vouched()
MOST_NAMES = 8


def scan(path: Path, allow: Sequence[str] = (), own: Vouched = _NOTHING) -> Scan:
    """What the file is by its content, and the names in it; `allow`: names or modules to trust besides;
    `own`: definitions in the user's own modules.

    Kinds: the containers in `packager/scan/containers`, and `joblib` for a pickle that only joblib can load. Raises
    `ModelError` for a broken file, and for one that no scanner knows: it must not be loaded.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
        if not head:
            raise _broken(path, "it is empty")
        return _scanned(path, head, Trust((*allow, *own.classes), own.functions))
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror or error}. Check the path.") from error
    except Fault as fault:
        raise _broken(path, str(fault)) from fault


def _scanned(path: Path, head: bytes, trust: Trust) -> Scan:
    for scanner in scanners():
        found = scanner.scan(path, trust) if scanner.sniff(path, head) else None
        if found is not None:
            return found
    claimed = next((scanner for scanner in scanners() if path.suffix.lower() in scanner.suffixes), None)
    found = claimed.scan(path, trust) if claimed is not None else None
    if found is None:
        raise refusal(path, head, tuple(scanner.title for scanner in scanners()))
    return found


def beside(kind: str, path: Path) -> tuple[Path, ...]:
    """The files that a model of that kind refers to, checked; raises `UntrustedError` or `ModelError`."""
    scanner = _of_kind(kind)
    return scanner.beside(path) if scanner is not None else ()


def look(kind: str, path: Path) -> dict[str, Any]:
    """Facts about a file of that kind, without reading its numbers."""
    scanner = _of_kind(kind)
    return scanner.look(path) if scanner is not None and scanner.look is not None else {}


def _of_kind(kind: str) -> Scanner | None:
    """The scanner of that kind; None for `joblib`, which has no file of its own."""
    return load(kind) if kind in names() else None


def require_trusted(scan: Scan, path: Path) -> None:
    """Raises `UntrustedError` when the file uses names that are not allowed or cannot be found, or uses allowed names
    in a way that no model does.

    A name in `__main__` was defined in the program that saved the model: no other program can find it.
    """
    refused = tuple(sorted({*scan.refused, *(name for name in scan.names if name.startswith(MAIN))}))
    if refused:
        told = advice(refused, scan.names, scan.root)
        said = f"{path} asks for names that are not trusted: {_some(refused)}. {told}."
        raise UntrustedError(said, names=list(refused))
    if scan.forbidden:
        raise UntrustedError(f"{path} {scan.forbidden}. {NO_MODEL}", names=[])


def require_own(functions: Sequence[str], allow: Sequence[str], own: Vouched) -> None:
    """Nothing. Raises `UntrustedError` for a function that would be called, but that neither a module in `--code`
    defines nor the user allows."""
    trust = Trust(allow)
    for name in functions:
        if name not in own.functions | own.classes and trust.use(*name.rsplit(".", 1)) != "own":
            raise UntrustedError(
                f"An option names the function {name}, which no module in the folders of --code defines at its top "
                f"level: define it there (mlpack build --code DIR), or add --allow {name} if you trust it.",
                names=[name],
            )


def _some(names: Sequence[str]) -> str:
    """The names as part of a sentence, shortened: `error.names` and `mlpack inspect` list all."""
    more = len(names) - MOST_NAMES
    return f"{', '.join(names[:MOST_NAMES])} and {more} more" if more > 1 else ", ".join(names)


def _broken(path: Path, reason: str) -> ModelError:
    return ModelError(f"{path} cannot be read as a model: {reason}. Save the model again, or check the file.")
