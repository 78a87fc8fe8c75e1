"""Implements `mlpack diff`: compares two bundles. Runs their graphs, but not their original models."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ..bundle.reader import Bundle, check_files, open_bundle
from ..errors import DamagedError
from .answers import answers
from .environment import environment_changes, unproved_changes
from .fields import changed_fields
from .graph import graph_changes
from .signature import signature_changes

ENVIRONMENT = "environment/environment.json"
FIRST = ("name", "version", "framework", "title", "source", "source sha256")
TOLD_ELSEWHERE = ("signature", "precision", "tolerances", "environment")


def diff(a: Path, b: Path) -> dict[str, Any]:
    """The changes from `a` to `b`, part by part. `same`: the bundles are equal byte for byte."""
    first, second = _checked(a), _checked(b)
    return {
        "same": first.identity == second.identity,
        "a": _title(first),
        "b": _title(second),
        "bundle": _bundle_changes(first, second),
        "environment": _environment_changes(first, second),
        "signature": signature_changes(first.manifest.facts, second.manifest.facts),
        "graph": graph_changes(first.model, second.model),
        "answers": [
            {"graph": "b", "cases": "a", **answers(second, first)},
            {"graph": "a", "cases": "b", **answers(first, second)},
        ],
        "files": _file_changes(first, second),
    }


def _checked(folder: Path) -> Bundle:
    bundle = open_bundle(folder)
    check_files(bundle)
    return bundle


def _title(bundle: Bundle) -> dict[str, str]:
    return {"name": bundle.name, "version": bundle.version, "identity": bundle.identity}


def _bundle_changes(a: Bundle, b: Bundle) -> list[dict[str, Any]]:
    """The manifest's facts that differ, with the digest of the original model."""
    before, after = ({**x.manifest.facts, "source sha256": _source(x)} for x in (a, b))
    others = sorted({*before, *after} - {*FIRST, *TOLD_ELSEWHERE})
    return changed_fields(before, after, (*FIRST, *others))


def _source(bundle: Bundle) -> str:
    """The sha256 of the original's file; of several files, that of their list as `sha256sum` prints it."""
    entries = [e for e in bundle.manifest.files if e.path.startswith("model/source/")]
    if len(entries) == 1:
        return entries[0].sha256
    return hashlib.sha256("".join(f"{e.sha256}  {e.path}\n" for e in entries).encode()).hexdigest()


def _environment_changes(a: Bundle, b: Bundle) -> dict[str, Any]:
    try:
        changes = environment_changes(a.json(ENVIRONMENT), b.json(ENVIRONMENT))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DamagedError(f"{ENVIRONMENT} of one bundle is not a valid environment: {error!r}") from error
    facts = (x.manifest.facts.get("environment", {}) for x in (a, b))
    return {**changes, "unproved": unproved_changes(*facts)}


def _file_changes(a: Bundle, b: Bundle) -> dict[str, list[str]]:
    before, after = ({e.path: e.sha256 for e in x.manifest.files} for x in (a, b))
    return {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": sorted(p for p in before.keys() & after.keys() if before[p] != after[p]),
    }
