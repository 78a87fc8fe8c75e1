"""Evaluates environment markers for the model's interpreter instead of this one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any


def holds(marker: Any, markers: Mapping[str, str], extra: str = "", groups: Iterable[str] = ()) -> bool:
    """Whether a marker (text, parsed, or none) holds; true for one that cannot be compared, so that it is seen."""
    from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName

    if not marker:
        return True
    parsed = Marker(marker) if isinstance(marker, str) else marker
    asked: dict[str, str | AbstractSet[str]] = {**markers, "extra": extra}
    asked |= {"extras": frozenset(), "dependency_groups": frozenset(groups)}
    try:
        return bool(parsed.evaluate(asked, context="lock_file"))
    except (UndefinedComparison, UndefinedEnvironmentName):
        return True
