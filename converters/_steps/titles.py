"""Titles of fitted objects: the class name, with the classes of nested parts in brackets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

LONGEST = 200
DEEPEST = 5
MOST_PARTS = 8
_LISTS = ("steps", "transformers_", "transformer_list", "estimators")
_ALONE = ("best_estimator_", "regressor_", "classifier_", "estimator", "base_estimator", "regressor", "classifier")


def title_of(model: Any) -> str:
    """Returns a title such as `Pipeline(StandardScaler, LogisticRegression)`, nested as deep as fits into a line."""
    for depth in range(DEEPEST, 0, -1):
        title = _title(model, depth)
        if len(title) <= LONGEST:
            return title
    return title[: LONGEST - 1] + "…"


def _title(model: Any, depth: int) -> str:
    own = model if isinstance(model, str) else type(model).__name__
    parts = list(_parts(model)) if depth else []
    if not parts:
        return own
    names = list(dict.fromkeys(_title(part, depth - 1) for part in parts))
    shown = names if len(names) <= MOST_PARTS else [*names[:MOST_PARTS], "…"]
    return f"{own}({', '.join(shown)})"


def _parts(model: Any) -> Iterator[Any]:
    """Yields the parts of a pipeline, union, ensemble or search; a string for a step such as "passthrough"."""
    held = getattr(model, "__dict__", {})
    several = next((held[name] for name in _LISTS if isinstance(held.get(name), list)), None)
    if several is not None:
        yield from (part for each in several for part in _of_entry(each))
        final = held.get("final_estimator_")
        if final is not None:
            yield final
        return
    alone = next(
        (held[name] for name in _ALONE if hasattr(held.get(name), "get_params") and _is_own(model, name)), None
    )
    if alone is not None:
        yield alone


def _is_own(model: Any, name: str) -> bool:
    """Returns whether the user chose that part, or it was fitted from a chosen one; a forest's trees are not chosen."""
    return name.endswith("_") or name in model.get_params(deep=False)


def _of_entry(entry: Any) -> Iterator[Any]:
    """Yields the part of a named entry; nothing for one that drops its columns."""
    part = entry[1] if isinstance(entry, tuple) and len(entry) > 1 else entry
    if isinstance(part, str) or part is None:
        if part == "passthrough":
            yield part
    else:
        yield part
