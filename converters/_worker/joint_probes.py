"""Probes with several changed cells, and probes between example rows; they come after the probes of single cells.

They combine only cells that the original answered one by one, so that a rejection is due to the combination.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from ..spec import Table
from ..table import rows_of, take
from .probes import LADDER, Column, Probe, together

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

ROWS = 96
"""Rows of each kind of combination: unseen cells, missing cells, thresholds, anything."""
BETWEEN, NEAR = 256, 6
"""Rows between two of the example; half of them are near the first, down to 10 to the minus this of the distance."""
STRANGE, GONE, JUMPS = ("unseen", "empty"), ("missing",), ("threshold",)
ANY = ("threshold", "category", "odd", *STRANGE, *GONE)
Pool = dict[int, "Array"]
"""Answered cells by the position of their column."""


def several(columns: Sequence[Column], probes: Sequence[Probe], refused: Collection[int]) -> list[Probe]:
    """The combinations, and the rows between the example's; `refused`: rows of all `probes` together."""
    import numpy as np

    if not columns or not rows_of(columns[0].example):
        return []
    rng = np.random.default_rng(0)
    rows, kinds, names = together(list(probes))
    kind, name = np.array(kinds, object), np.array(names, object)
    answered = np.ones(len(kind), bool)
    answered[list(refused)] = False
    pools = [_pool(columns, rows, name, answered & np.isin(kind, some)) for some in (STRANGE, GONE, JUMPS, ANY)]
    mixed = [_combined(columns, pool, ROWS, rng) for pool in pools]
    mixed.append(_large_at_once(columns, _pool(columns, rows, name, answered & (kind == "large"))))
    strict = {str(n) for n in name[~answered & (kind == "odd")]}
    between = _between(columns, strict, rng)
    return [Probe("several", "", table) for table in mixed if table] + (
        [Probe("between", "", between)] if between else []
    )


def _pool(columns: Sequence[Column], rows: Table, name: Array, chosen: Array) -> Pool:
    found = {i: column.cells(rows)[chosen & (name == column.feature.name)] for i, column in enumerate(columns)}
    return {i: cells for i, cells in found.items() if len(cells)}


def _combined(columns: Sequence[Column], pool: Pool, count: int, rng: np.random.Generator) -> Table:
    """Example rows with cells of the pool in two columns or more; empty where the pool has fewer columns."""
    import numpy as np

    places = sorted(pool)
    if len(places) < 2:
        return {}
    base = rng.integers(rows_of(columns[0].example), size=count)
    table = {name: cells.copy() for name, cells in take(columns[0].example, base).items()}
    sizes = np.minimum(2 + rng.geometric(0.5, count) - 1, len(places))
    sizes[: count // 4] = len(places)
    marks = np.argsort(rng.random((count, len(places))), axis=1) < sizes[:, None]
    for k, place in enumerate(places):
        at = np.flatnonzero(marks[:, k])
        _put(columns[place], table, at, pool[place][rng.integers(len(pool[place]), size=len(at))])
    return table


def _large_at_once(columns: Sequence[Column], pool: Pool) -> Table:
    """Rows with one large number in all columns that accept it alone: a product of two may be infinite."""
    import numpy as np

    steps = [sign * step for step in LADDER for sign in (1.0, -1.0)]
    held = [[place for place, cells in sorted(pool.items()) if step in cells] for step in steps]
    if not any(len(places) > 1 for places in held):
        return {}
    base = np.arange(len(steps)) % rows_of(columns[0].example)
    table = {name: cells.copy() for name, cells in take(columns[0].example, base).items()}
    for row, (step, places) in enumerate(zip(steps, held)):
        for place in places:
            _put(columns[place], table, np.array([row]), np.array([step]))
    return table


def _put(column: Column, table: Table, at: Array, cells: Array) -> None:
    if column.position >= 0:
        table[column.spec.name][at, column.position] = cells
    else:
        table[column.spec.name][at] = cells


def _between(columns: Sequence[Column], strict: Collection[str], rng: np.random.Generator) -> Table:
    """Rows on the line from one example row to another, in the columns that accept any number."""
    import numpy as np

    free = [c for c in columns if c.spec.is_float and not c.feature.values and c.feature.name not in strict]
    rows = rows_of(columns[0].example)
    if not free or rows < 2:
        return {}
    first, second = rng.integers(rows, size=(2, BETWEEN))
    share = rng.random(BETWEEN)
    share[::2] = 10.0 ** -rng.uniform(0, NEAR, len(share[::2]))
    table = {name: cells.copy() for name, cells in take(columns[0].example, first).items()}
    for column in free:
        one, other = (column.values[i].astype(np.float64) for i in (first, second))
        _put(column, table, np.arange(BETWEEN), one + share * (other - one))
    return table
