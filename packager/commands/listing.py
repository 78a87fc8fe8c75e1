"""Implements `mlpack list` and `mlpack report`: finds the bundles below a folder, and a bundle's report."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..bundle.layout import NAME
from ..bundle.reader import open_bundle
from ..errors import MissingToolError, MlpackError, UsageError

DEEPEST = 6
"""Folders below the given one that are looked into."""


def list_bundles(folder: Path) -> dict[str, Any]:
    """The bundles, by path: name, version, framework, verdict, the graph's milliseconds for a row, identity.

    Reads their manifests, and checks the files that it shows something of. `problem`: why one cannot be read.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    return {"folder": str(folder), "bundles": [_row(place) for place in _places(folder)]}


def _places(folder: Path) -> Iterator[Path]:
    for place, below, files in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        if NAME in files:
            yield Path(place)
        below[:] = [] if NAME in files or depth == DEEPEST else sorted(each for each in below if each[:1] != ".")


def _row(place: Path) -> dict[str, Any]:
    try:
        bundle = open_bundle(place)
        report = bundle.json(bundle.proof().report)
        return {
            "bundle": str(place),
            "name": bundle.name,
            "version": bundle.version,
            "framework": bundle.in_short["framework"],
            "variants": [each.name for each in bundle.variants],
            "verdict": report["verdict"],
            "rows": report["rows"],
            "identity": bundle.identity,
        }
    except MlpackError as error:
        return {"bundle": str(place), "problem": str(error)}


def report_of(folder: Path, show: bool) -> dict[str, Any]:
    """The path of the report, whose digest is checked; `show`: opens it in the browser."""
    bundle = open_bundle(folder)
    path = bundle.layout.report
    bundle.read(path)
    found = (folder / path).absolute()
    if show and not webbrowser.open(found.as_uri()):
        raise MissingToolError(f"there is no browser here to open the report: open {found} in one")
    return {"bundle": str(folder), "report": str(found)}
