"""The model's own files, copied and checked: what was scanned is what is loaded, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelError, UntrustedError
from ..scan import Scan, require_trusted, scan, vouched
from ..travel import duplicate


@dataclass(frozen=True)
class Source:
    """Checked copies: the model first, then the files that it refers to."""

    files: tuple[Path, ...]
    found: Scan

    def relative(self) -> dict[str, Path]:
        """The files by their path from the model's folder."""
        return {file.relative_to(self.files[0].parent).as_posix(): file for file in self.files}

    def request(self) -> dict[str, Any]:
        """What the worker's `load` is told."""
        return {
            "model": str(self.files[0]),
            "kind": self.found.kind,
            "names": list(self.found.names),
            "own": list(self.found.own),
            "referred": list(self.found.referred),
            "versions": dict(self.found.versions),
        }


def take_source(model: Path, folder: Path, allow: Sequence[str], code: Sequence[Path] = ()) -> Source:
    """The model's files copied into `folder`; `ModelError` or `UntrustedError` where they are not fit to be loaded.

    `allow`: names that the user trusts. `code`: folders whose own classes and functions the user vouches for.
    """
    folder.mkdir(parents=True)
    copy = _copied(model, folder)
    try:
        found = scan(copy, allow, vouched(code))
        require_trusted(found, copy)
        beside = _external(model, copy, folder) if found.kind == "other" else ()
    except ModelError as error:
        raise type(error)(str(error).replace(str(copy), str(model)), **error.facts) from error
    return Source((copy, *beside), found)


def _copied(path: Path, folder: Path) -> Path:
    try:
        return duplicate(path, folder / path.name)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error


def _external(model: Path, copy: Path, folder: Path) -> tuple[Path, ...]:
    """Copies of the files that an ONNX model, whatever it is called, keeps its numbers in; they lie in its folder."""
    from ..scan.onnx_files import check_external_data

    beside = []
    try:
        named = check_external_data(model)
    except UntrustedError:
        raise
    except ModelError:
        if model.suffix.lower() == ".onnx":
            raise
        return ()
    for path in named:
        target = folder / path.relative_to(model.parent.resolve())
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.append(duplicate(path, target))
    check_external_data(copy)
    return tuple(beside)
