"""Compares the variants of two bundles."""

from __future__ import annotations

from typing import Any

from mlpack_toolkit.converters.variant import Variant

from ..bundle.reader import Bundle
from .fields import changed_fields

FIELDS = ("format", "main", "sha256", "weights", "io", "provider", "options", "recipe")


def variant_changes(a: Bundle, b: Bundle) -> dict[str, Any]:
    """Added and removed names; by name, the differing fields. The reference's signature and graph are compared
    elsewhere, as every bundle has one."""
    before, after = ({variant.name: _fields(variant) for variant in bundle.variants} for bundle in (a, b))
    changed = {name: changed_fields(before[name], after[name], FIELDS) for name in before if name in after}
    return {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": {name: changes for name, changes in changed.items() if changes},
    }


def _fields(variant: Variant) -> dict[str, Any]:
    artifact = variant.artifact
    digests = [file.sha256 for file in artifact.files]
    own = {"format": artifact.format, "main": artifact.main, "sha256": digests[0] if len(digests) == 1 else digests}
    others = {name: getattr(variant, name) for name in ("weights", "io", "provider", "options", "recipe")}
    return own | others
