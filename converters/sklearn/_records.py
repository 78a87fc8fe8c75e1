"""The keys of records: the columns of a table whose rows are dictionaries."""

from __future__ import annotations

from typing import Any

from ..spec import Unsupported


def names(model: Any) -> tuple[str, ...]:
    """Returns the keys of a DictVectorizer's records, be it the model or its first step; else none.

    A feature is called `key`, or `key=text`; a key that contains the separator itself is cut at the first.
    """
    while hasattr(model, "steps") or hasattr(model, "best_estimator_"):
        model = model.steps[0][1] if hasattr(model, "steps") else model.best_estimator_
    if type(model).__name__ == "FeatureHasher":
        raise Unsupported("FeatureHasher stores no keys, so the graph's inputs are unknown: use a DictVectorizer")
    return tuple(by_key(model)) if type(model).__name__ == "DictVectorizer" else ()


def by_key(fitted: Any) -> dict[str, dict[str | None, int]]:
    """Returns, per key, its texts, and None where it has numbers, with their output columns."""
    found: dict[str, dict[str | None, int]] = {}
    for name, column in fitted.vocabulary_.items():
        if not isinstance(name, str):
            raise Unsupported(f"a key of the records is {name!r}: the columns of a table need text names")
        key, mark, text = name.partition(fitted.separator)
        found.setdefault(key, {})[text if mark else None] = int(column)
    return {key: found[key] for key in sorted(found)}
