"""A bundle that a stranger changed: its manifests are made to match what lies there now, so every digest agrees."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlpack_toolkit.packager.bundle.manifest import MEASURED, NAME, canonical, entry_of, paths_below

REPORT = "reports/report.html"


def seal(folder: Path, **facts: Any) -> None:
    """Writes both manifests anew: every file that lies there is listed, and `facts` replace the manifest's own."""
    plain = {**json.loads((folder / NAME).read_bytes()), **facts}
    found = {p: entry_of(folder, folder / p) for p in paths_below(folder) if not p.endswith("/")}
    listing = {path: {"sha256": e.sha256, "size": e.size} for path, e in found.items()}
    clocked = {path: e for path, e in listing.items() if path.startswith(MEASURED) or path == REPORT}
    clocked.pop(MEASURED + NAME, None)
    plain["files"] = {path: e for path, e in listing.items() if path not in (NAME, MEASURED + NAME, *clocked)}
    sign(folder, canonical(plain), clocked)


def sign(folder: Path, manifest: bytes, clocked: dict[str, Any] | None = None) -> None:
    """Writes a manifest as it is given, and lets the measurements name it."""
    import hashlib

    old = json.loads((folder / MEASURED / NAME).read_bytes())
    (folder / NAME).write_bytes(manifest)
    identity = "sha256:" + hashlib.sha256(manifest).hexdigest()
    (folder / MEASURED / NAME).write_bytes(canonical({"identity": identity, "files": clocked or old["files"]}))


def rewrite(path: Path, change: Callable[[Any], Any]) -> None:
    """The JSON of a file, changed in place or replaced by what the function gives."""
    plain = json.loads(path.read_bytes())
    found = change(plain)
    path.write_bytes(canonical(plain if found is None else found))
