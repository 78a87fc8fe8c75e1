"""Implements `mlpack diff`: compares two bundles. Runs their graphs, but not their original models."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ..bundle.facts import Part
from ..bundle.reader import Bundle, check_files, open_bundle
from ..errors import DamagedError
from .answers import answers
from .environment import environment_changes, unproved_changes
from .fields import changed_fields
from .graph import graph_changes
from .signature import signature_changes
from .variants import variant_changes
from .verdict import verdict

FIRST = ("name", "version", "framework", "title", "source", "source sha256")
TOLD_ELSEWHERE = ("signature", "precision", "tolerances", "environment", "locks")


def diff(a: Path, b: Path) -> dict[str, Any]:
    """The changes from `a` to `b`, part by part, with a verdict. `same`: the bundles are equal byte for byte."""
    first, second = _checked(a), _checked(b)
    both = [
        {"graph": "b", "cases": "a", **answers(second, first)},
        {"graph": "a", "cases": "b", **answers(first, second)},
    ]
    same = first.identity == second.identity
    return {
        "same": same,
        "verdict": verdict(same, both),
        "a": _title(first),
        "b": _title(second),
        "bundle": _bundle_changes(first, second),
        "environment": _environment_changes(first, second),
        "signature": signature_changes(first.in_short, second.in_short),
        "variants": variant_changes(first, second),
        "graph": graph_changes(first.graph, second.graph),
        "answers": both,
        "files": _file_changes(first, second),
    }


def _checked(folder: Path) -> Bundle:
    bundle = open_bundle(folder)
    check_files(bundle)
    return bundle


def _title(bundle: Bundle) -> dict[str, str]:
    return {"name": bundle.name, "version": bundle.version, "identity": bundle.identity}


def _bundle_changes(a: Bundle, b: Bundle) -> list[dict[str, Any]]:
    """The differing facts of the manifests, and the digest of the original model."""
    before, after = ({**x.in_short, "source sha256": _source(x)} for x in (a, b))
    others = sorted({*before, *after} - {*FIRST, *TOLD_ELSEWHERE})
    return changed_fields(before, after, (*FIRST, *others))


def _source(bundle: Bundle) -> str:
    """The sha256 of the original's file; of several files, that of their list as `sha256sum` prints it."""
    given = {source.path for source in bundle.sources}
    entries = [e for e in bundle.manifest.files if e.path.startswith("model/source/") or e.path in given]
    if len(entries) == 1:
        return entries[0].sha256
    return hashlib.sha256("".join(f"{e.sha256}  {e.path}\n" for e in entries).encode()).hexdigest()


def _environment_changes(a: Bundle, b: Bundle) -> dict[str, Any]:
    """Those of the first part; of others that a bundle has, those of the same name."""
    first, *others = a.parts
    second, *theirs = b.parts
    before, after = {part.name: part for part in others}, {part.name: part for part in theirs}
    both = [name for name in before if name in after]
    return {
        **_part_changes(a, first, b, second),
        "parts": {
            "added": sorted(after.keys() - before.keys()),
            "removed": sorted(before.keys() - after.keys()),
            "changed": {name: _part_changes(a, before[name], b, after[name]) for name in both},
        },
    }


def _part_changes(a: Bundle, one: Part, b: Bundle, other: Part) -> dict[str, Any]:
    try:
        changes = environment_changes(a.json(one.document), b.json(other.document))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        words = f"{one.document} or {other.document} of one bundle describes no environment"
        raise DamagedError(f"{words}: {error!r}") from error
    return {**changes, "unproved": unproved_changes(one.facts, other.facts)}


def _file_changes(a: Bundle, b: Bundle) -> dict[str, list[str]]:
    before, after = ({e.path: e.sha256 for e in x.manifest.files} for x in (a, b))
    return {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": sorted(p for p in before.keys() & after.keys() if before[p] != after[p]),
    }
