"""The options that kinds of variants declare: keys of `[[variant]]`, or `-O KIND.NAME=VALUE` for all of that kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .accuracy.asked import Asked
from .declared import declared
from .errors import UsageError
from .options import from_tables, values
from .variants import with_options

Tables = Sequence[tuple[Any, Path]]
Values = Mapping[str, Mapping[str, Any]]


def apart(tables: Tables) -> tuple[Tables, Values]:
    """The tables without the keys that their kinds declare, and by name of a variant the values of these."""
    others, own = [], {}
    for table, folder in tables:
        kind = table.get("kind") if isinstance(table, Mapping) else None
        names = {option.name for option in declared().get(kind, ())} if kind in with_options() else set()
        mine = {key: value for key, value in table.items() if key in names} if names else {}
        if mine:
            settings = from_tables({kind: mine}, "[[variant]]", folder)
            own[str(table.get("name", kind))] = dict(values(settings)[str(kind)])
            table = {key: value for key, value in table.items() if key not in names}
        others.append((table, folder))
    return others, own


def with_own(asked: Sequence[Asked], own: Values, given: Values) -> tuple[Asked, ...]:
    """The variants with the values of their kinds' options. `own`: by name; `given`: by kind, over those."""
    for kind in given:
        if kind not in {each.kind for each in asked}:
            raise UsageError(f"the options {kind}.… are those of a variant: give --variant {kind}, or [[variant]]")
    return tuple(replace(a, options={**own.get(a.name, {}), **given.get(a.kind, {})}) for a in asked)
