"""A bundle that a stranger changed: its manifests are made to match what lies there now, so every digest agrees."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlpack_toolkit.packager.bundle.layout import NAME
from mlpack_toolkit.packager.bundle.manifest import canonical, entry_of, paths_below

EVIDENCE = "evidence/"
LIST = EVIDENCE + NAME
REFERENCE = "variants", "reference"
PLACES: dict[str, tuple[Any, ...]] = {
    "source": ("sources", 0, "path"),
    **{fact: ("sources", 0, fact) for fact in ("framework", "title", "given", "part")},
    "environment": ("parts", 0, "environment"),
    "precision": (*REFERENCE, "weights"),
    **{fact: (*REFERENCE, fact) for fact in ("signature", "tolerances", "tolerance_given_by_user")},
}
"""Where the facts of the only source and part and of the reference variant stand; others stand at the top."""


def fact(plain: Any, name: str) -> Any:
    """What a manifest says under that name."""
    for key in PLACES.get(name, (name,)):
        plain = plain[key]
    return plain


def seal(folder: Path, **facts: Any) -> None:
    """Writes both manifests anew: every file that lies there is listed, and `facts` replace the manifest's own."""
    plain = json.loads((folder / NAME).read_bytes())
    for name, value in facts.items():
        *way, last = PLACES.get(name, (name,))
        holder = plain
        for key in way:
            holder = holder[key]
        holder[last] = value
    found = {p: entry_of(folder, folder / p) for p in paths_below(folder) if not p.endswith("/")}
    listing = {path: {"sha256": e.sha256, "size": e.size} for path, e in found.items()}
    clocked = {path: e for path, e in listing.items() if path.startswith(EVIDENCE)}
    clocked.pop(LIST, None)
    plain["files"] = {path: e for path, e in listing.items() if path not in (NAME, LIST, *clocked)}
    sign(folder, canonical(plain), clocked)


def sign(folder: Path, manifest: bytes, clocked: dict[str, Any] | None = None) -> None:
    """Writes a manifest as it is given, and lets the list of the evidence name it."""
    import hashlib

    old = json.loads((folder / LIST).read_bytes())
    (folder / NAME).write_bytes(manifest)
    identity = "sha256:" + hashlib.sha256(manifest).hexdigest()
    (folder / LIST).write_bytes(canonical({"identity": identity, "files": clocked or old["files"]}))


def rewrite(path: Path, change: Callable[[Any], Any]) -> None:
    """The JSON of a file, changed in place or replaced by what the function gives."""
    plain = json.loads(path.read_bytes())
    found = change(plain)
    path.write_bytes(canonical(plain if found is None else found))
