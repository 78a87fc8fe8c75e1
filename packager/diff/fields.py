"""Compares two objects field by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def changed_fields(a: Mapping[str, Any], b: Mapping[str, Any], fields: Iterable[str]) -> list[dict[str, Any]]:
    """The fields that differ, in the given order; a missing value is None."""
    return [
        {"field": field, "from": _plain(a.get(field)), "to": _plain(b.get(field))}
        for field in fields
        if _plain(a.get(field)) != _plain(b.get(field))
    ]


def flat(plain: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The leaves of nested objects by dotted name."""
    found: dict[str, Any] = {}
    for key, value in plain.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return found


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
