"""Lookup tables for a CatBoost model's categories: each known text gets an index, and tables use these indices.

A graph cannot hash, and the model stores only hashes. But where each of its hashes is the hash of some text in the
example, any other text is unknown to the model (unless two texts share 32 bits), so a table is right for every text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union

from .._graph.builder import Frame, GraphBuilder, Value
from ..spec import Scalar, Unsupported
from .cityhash import hashes_of
from .ctr import Ctr, Projection, chained
from .reader import Parsed, integers_behind

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MOST_COMBINATIONS = 2**22
"""Maximum number of category combinations that are tried, per statistic, to find those behind the hashes."""
DENSE = 4096
"""Maximum cells of a table indexed directly; larger tables contain only the combinations that the model knows."""

Key = Union[str, int]


@dataclass(frozen=True)
class Known:
    """A categorical column whose texts are known.

    `place`: each row's index, `int64 [N, 1]`: 0 to K - 1, or K for a text that the model does not know. `hashes`: `[K]`
    by index. `rows`: the indices of the example's own rows, if available.
    """

    column: str
    place: str
    hashes: Array
    rows: Array | None


def category_columns(parsed: Parsed, frame: Frame, numbers: Value | None, graph: GraphBuilder) -> list[Value]:
    """Returns the columns after the numeric ones in the trees' matrix, float32: 0/1 per category, then statistics."""
    used = [n for n in range(len(parsed.categories)) if parsed.asked(n)]
    known = {n: _known(parsed, n, graph.select(frame, [parsed.categories[n]])[0], graph) for n in used}
    parts = [_one_hot(parsed, n, known[n], graph) for n in used if any(owner == n for owner, _ in parsed.one_hot)]
    for projection in dict.fromkeys(ctr.projection for ctr in parsed.ctrs):
        group = [ctr for ctr in parsed.ctrs if ctr.projection == projection]
        parts.append(_statistics(group, known, _cells(parsed, projection, known, numbers, graph), graph))
    return parts


def keys_of(cells: Array | None, dtype: str, known_hashes: frozenset[int]) -> list[Key]:
    """Returns a column's possible categories, as far as known: the example's, and integers found by their hash."""
    import numpy as np

    if dtype == "bool":
        return [0, 1]
    if dtype == "string":
        texts = [] if cells is None or cells.dtype.kind not in "OU" else cells.ravel().tolist()
        return sorted({text for text in texts if isinstance(text, str)})
    own = set() if cells is None or cells.dtype.kind not in "iu" else set(np.unique(cells).tolist())
    behind = integers_behind(known_hashes) if known_hashes else {}
    return sorted(own.union(*behind.values()))


def hashes_of_keys(keys: Sequence[Key]) -> Array:
    """Hashes categories as CatBoost does: integers by their decimal text."""
    return hashes_of([str(key).encode() for key in keys])


def _known(parsed: Parsed, number: int, column: Value, graph: GraphBuilder) -> Known:
    import numpy as np

    name = column.column or column.name
    if column.dtype not in ("string", "int64", "bool"):
        raise Unsupported(f"CatBoost accepts text and integers as categories, but column {name!r} is {column.dtype}")
    known_hashes = parsed.hashes(number)
    keys = keys_of(column.cells, column.dtype, known_hashes)
    hashes = hashes_of_keys(keys)
    if not parsed.combined(number):
        kept = np.isin(hashes, sorted(known_hashes))
        keys, hashes = [key for key, keep in zip(keys, kept.tolist()) if keep], hashes[kept]
    missing = known_hashes - set(hashes.tolist())
    if missing or not keys:
        raise Unsupported(_lacking(name, len(missing), len(known_hashes), column.cells is not None))
    distinct, places = np.unique(hashes, return_inverse=True)
    place_of = dict(zip(keys, places.ravel().tolist()))
    return Known(name, _places(graph, column, place_of), distinct, _rows(column.cells, place_of))


def _lacking(column: str, lacking: int, known: int, has_example: bool) -> str:
    if has_example:
        return (
            f"the example lacks {lacking} of the {known} categories that the model knows in column {column!r}, and "
            "CatBoost stores only their hashes: give an example that contains every category"
        )
    return (
        f"CatBoost stores only hashes of the categories of {column!r}, and a graph cannot hash: pass a column of the "
        "example to the model unchanged, so that its categories are known, or encode it first (OrdinalEncoder)"
    )


def _rows(cells: Array | None, place_of: Mapping[Key, int]) -> Array | None:
    import numpy as np

    if cells is None:
        return None
    return np.array([place_of.get(cell, len(place_of)) for cell in cells.ravel().tolist()], np.int64)


def _places(graph: GraphBuilder, column: Value, place_of: Mapping[Key, int]) -> str:
    size = max(place_of.values()) + 1
    places = list(place_of.values())
    if column.dtype == "string":
        keys = {"keys_strings": [str(key).encode() for key in place_of]}
        return graph.ml("LabelEncoder", column.name, values_int64s=places, default_int64=size, **keys)
    whole = graph.cast(column, "int64").name
    return graph.ml("LabelEncoder", whole, keys_int64s=list(place_of), values_int64s=places, default_int64=size)


def _one_hot(parsed: Parsed, number: int, known: Known, graph: GraphBuilder) -> Value:
    import numpy as np

    hashes = np.array([h for owner, h in parsed.one_hot if owner == number])
    same = known.hashes[:, None] == hashes[None, :]
    return _looked_up(np.vstack([same, np.zeros((1, len(hashes)), bool)]), known.place, graph)


def _looked_up(table: Array, place: str, graph: GraphBuilder) -> Value:
    """Returns the rows of a table at `place` `[N, 1]`, as columns."""
    found = graph.op("Gather", graph.const(table, "float32"), place, axis=0)
    return Value(graph.op("Squeeze", found, graph.const([1], "int64")), "float32", table.shape[1])


def _cells(
    parsed: Parsed, projection: Projection, known: Mapping[int, Known], numbers: Value | None, graph: GraphBuilder
) -> tuple[str, int]:
    """Returns the number of each row's combination, `int64 [N, 1]`, and the number of combinations."""
    parts = [(known[n].place, len(known[n].hashes) + 1) for n in projection.categories]
    for column, border in projection.borders:
        assert numbers is not None
        parts.append((_above(graph, numbers, column, border, parsed.missing_left[column]), 2))
    for n, hash_ in projection.hashes:
        same = graph.const([*(known[n].hashes == hash_).tolist(), False], "int64")
        parts.append((graph.op("Gather", same, known[n].place), 2))
    code, cells = parts[0]
    for part, size in parts[1:]:
        cells *= size
        code = graph.op("Add", graph.op("Mul", code, graph.const([[size]], "int64")), part)
    if cells >= 2**62:
        raise Unsupported(f"CatBoost combines the columns {_named(projection, known)}: too many combinations to number")
    return code, cells


def _above(graph: GraphBuilder, numbers: Value, column: int, border: float, missing_left: bool) -> str:
    x = graph.op("Gather", numbers.name, graph.const([column], "int64"), axis=1)
    above = graph.op("Greater", x, graph.const([[border]], "float32"))
    above = above if missing_left else graph.op("Or", above, graph.op("IsNaN", x))
    return graph.cast(Value(above, "bool"), "int64").name


def _statistics(group: list[Ctr], known: Mapping[int, Known], cells: tuple[str, int], graph: GraphBuilder) -> Value:
    """Returns the statistics of one projection, as columns."""
    import numpy as np

    hashes = np.unique(np.concatenate([ctr.hashes for ctr in group]))
    places = [np.where(np.isin(hashes, c.hashes), np.searchsorted(c.hashes, hashes), len(c.hashes)) for c in group]
    table = np.stack([np.append(c.values[place], c.values[-1]) for c, place in zip(group, places)], axis=1)
    codes, buckets = _reached(group[0].projection, known, hashes)
    code, size = cells
    if size <= DENSE:
        dense = np.repeat(table[-1:], size, axis=0)
        dense[codes] = table[buckets]
        return _looked_up(dense, code, graph)
    keys = {"keys_int64s": codes.tolist(), "values_int64s": buckets.tolist()}
    return _looked_up(table, graph.ml("LabelEncoder", code, default_int64=len(hashes), **keys), graph)


def _reached(projection: Projection, known: Mapping[int, Known], hashes: Array) -> tuple[Array, Array]:
    """Returns the numbers of the combinations whose hash is in the sorted `hashes`, and the indices of these hashes;
    raises `Unsupported` where a hash has no combination."""
    import numpy as np

    codes, made = _combinations(projection, known)
    place = np.minimum(np.searchsorted(hashes, made), len(hashes) - 1)
    hit = hashes[place] == made
    missing = len(hashes) - len(np.unique(place[hit]))
    if missing:
        raise Unsupported(
            f"the example lacks {missing} of the {len(hashes)} combinations that the model knows of the columns "
            f"{_named(projection, known)}: give the rows that it was trained on as the example, or train with "
            "max_ctr_complexity=1"
        )
    return codes[hit], place[hit]


def _combinations(projection: Projection, known: Mapping[int, Known]) -> tuple[Array, Array]:
    """Returns numbers and hashes of the possible combinations: all, or where those are too many the example's own."""
    import numpy as np

    columns = [known[n] for n in projection.categories]
    bits = len(projection.borders) + len(projection.hashes)
    total = 2**bits
    for column in columns:
        total *= len(column.hashes)
    codes, made = np.zeros(1, np.int64), np.zeros(1, np.uint64)
    if total > MOST_COMBINATIONS:
        codes, made = _of_the_example(projection, columns)
        columns = []
    elements = [(column.hashes, len(column.hashes) + 1) for column in columns] + [(np.arange(2), 2)] * bits
    for cells, size in elements:
        codes = (codes[:, None] * size + np.arange(len(cells))).ravel()
        made = chained(made[:, None], cells[None, :]).ravel()
    return codes, made


def _of_the_example(projection: Projection, columns: list[Known]) -> tuple[Array, Array]:
    import numpy as np

    each = [column.rows for column in columns if column.rows is not None]
    if len(each) < len(columns) or len({len(rows) for rows in each}) > 1:
        raise Unsupported(
            f"CatBoost combines the columns {', '.join(repr(c.column) for c in columns)} in more ways than can "
            f"be tried ({MOST_COMBINATIONS}): train with max_ctr_complexity=1"
        )
    together = np.unique(np.stack(each, axis=1), axis=0)
    together = together[(together < [len(c.hashes) for c in columns]).all(axis=1)]
    codes, made = np.zeros(len(together), np.int64), np.zeros(len(together), np.uint64)
    for column, places in zip(columns, together.T):
        codes = codes * (len(column.hashes) + 1) + places
        made = chained(made, column.hashes[places])
    return codes, made


def _named(projection: Projection, known: Mapping[int, Known]) -> str:
    return " and ".join(repr(known[n].column) for n in projection.categories)


def known_categories(parsed: Parsed, number: int, cells: Array | None, dtype: str) -> list[Scalar]:
    """Returns the categories of a column that the model knows, among the available ones."""
    import numpy as np

    known_hashes = parsed.hashes(number)
    keys = keys_of(cells, dtype, known_hashes)
    if parsed.combined(number):
        return list(keys)
    return [key for key, known in zip(keys, np.isin(hashes_of_keys(keys), sorted(known_hashes)).tolist()) if known]
