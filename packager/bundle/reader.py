"""A bundle from a folder: its manifest, its files checked, its golden cases."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.spec import Signature

from ..errors import DamagedError, UsageError
from ..golden import GoldenCase, decode_case
from .manifest import MEASURED, NAME, Manifest, entries_below


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk; nothing of it has been checked yet but that its manifest can be read."""

    folder: Path
    manifest: Manifest
    raw_manifest: bytes

    @property
    def name(self) -> str:
        return str(self.manifest.facts["name"])

    @property
    def version(self) -> str:
        return str(self.manifest.facts["version"])

    @property
    def identity(self) -> str:
        return "sha256:" + hashlib.sha256(self.raw_manifest).hexdigest()

    @property
    def signature(self) -> Signature:
        return Signature.from_json(self.manifest.facts["signature"])

    @property
    def model(self) -> Path:
        return self.folder / "model" / "model.onnx"

    def json(self, path: str) -> Any:
        """The parsed content of a JSON file of the bundle."""
        try:
            return json.loads((self.folder / path).read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise DamagedError(f"{path} cannot be read: {error}") from error

    def golden(self) -> Iterator[GoldenCase]:
        """The golden cases in their order."""
        signature = self.signature
        for path in sorted((self.folder / "golden").glob("*.request.json")):
            response = path.with_name(path.name.replace(".request.", ".response."))
            try:
                yield decode_case(path.read_bytes(), response.read_bytes(), signature)
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise DamagedError(f"the golden case {path.name} cannot be read: {error!r}") from error


def open_bundle(folder: Path) -> Bundle:
    """The bundle in a folder; nothing of it runs or loads."""
    path = folder / NAME
    if not folder.is_dir() or not path.is_file():
        raise UsageError(f"{folder} is not a bundle: it has no {NAME}")
    raw = path.read_bytes()
    manifest = Manifest.decode(raw)
    try:
        Signature.from_json(manifest.facts["signature"])
        str(manifest.facts["name"]), str(manifest.facts["version"])
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedError(f"{NAME} lacks what every bundle has: {error!r}") from error
    return Bundle(folder, manifest, raw)


def check_files(bundle: Bundle) -> None:
    """`DamagedError` that names every changed, missing or extra file; measurements are held against their own list."""
    listed = {e.path: (e.sha256, e.size) for e in bundle.manifest.files}
    if bundle.raw_manifest != bundle.manifest.encode():
        raise DamagedError(f"{NAME} is not in canonical form: it was changed after the build")
    listed |= _measured(bundle)
    found = {e.path: (e.sha256, e.size) for e in entries_below(bundle.folder)}
    for own in (NAME, MEASURED + NAME):
        found.pop(own, None)
    faults = {
        "changed": sorted(p for p in listed.keys() & found.keys() if listed[p] != found[p]),
        "missing": sorted(listed.keys() - found.keys()),
        "extra": sorted(found.keys() - listed.keys()),
    }
    named = [f"{kind}: {', '.join(paths)}" for kind, paths in faults.items() if paths]
    if named:
        raise DamagedError(f"the bundle {bundle.folder.name} is not as it was built; " + "; ".join(named), **faults)


def _measured(bundle: Bundle) -> dict[str, tuple[str, int]]:
    """What the measurements' own list says of each file."""
    plain = bundle.json(MEASURED + NAME)
    try:
        identity = plain["identity"]
        files = {path: (str(entry["sha256"]), int(entry["size"])) for path, entry in plain["files"].items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DamagedError(f"{MEASURED}{NAME} is not a list of files: {error!r}") from error
    if identity != bundle.identity:
        raise DamagedError(f"{MEASURED}{NAME} names another bundle than {bundle.identity}: one was changed")
    return files
