"""Probes: rows that would show a difference between the original and a graph, made from the example and the model.

Every kind changes one column of real rows, so that the other columns have realistic values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..spec import NOT_A_TIME, Axes, Description, Feature, Table, TensorSpec
from ..table import rows_of, stack, take
from .sample_texts import documents

if TYPE_CHECKING:
    import numpy as np

EXAMPLE_ROWS = 2000
THRESHOLD_ROWS = 8000
VALUES_PER_COLUMN = 300
LADDER = (1e2, 1e4, 1e6, 1e12, 1e30)
BEYOND = (1e39, float("inf"))
INTEGERS = (0, -1, 2**24 + 1, 2**31, 2**53 + 1)
DAYS = (-25567, -25508, -25509, -366, 365, 10957, 11016, 11017, 19723, 19782, 20089, 47540, 47541)
"""Since 1970: 1 January 1900, 1969, 1971, 2000, 2024 and 2025, and the last days of February beside them."""
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
ODD_FLOATS = (0.0, -0.0, 1e-30, -1.0, 0.5, 16777217.0, 9007199254740993.0)
NEARLY_ABSENT = (1e-60, -1e-60)
"""They are 0 in float32, which a sparse matrix does not store."""
STRANGERS = ("never-seen", " ", "naïve café", "ΣΊΣΥΦΟΣ İstanbul", "😀", "日本", "1", "NaN", "None", "a" * 300)


@dataclass(frozen=True)
class Probe:
    """Rows of one kind. `column`: the changed column, empty for whole rows; `tried`, `known`: how many of the known
    thresholds or values the rows contain."""

    kind: str
    column: str
    rows: Table
    tried: int = 0
    known: int = 0


def make_probes(description: Description, inputs: tuple[TensorSpec, ...], example: Table) -> list[Probe]:
    """All probes of one row and more, the plain ones (`example`, `threshold`, `category`) first."""
    import numpy as np

    example = spread(example, EXAMPLE_ROWS)
    probes = [Probe("example", "", example)]
    if description.document:
        rows = documents(description.features[0].values)
        return [*probes, Probe("text", "text", {"text": np.array(rows, object)}), _blank()]
    columns = list(columns_of(description, inputs, example))
    budget = max(THRESHOLD_ROWS // max(1, sum(bool(c.feature.thresholds) for c in columns)), 25)
    for column in columns:
        probes += _threshold_probes(column, budget)
        probes += _value_probes(column)
    probes += _by_likeness(columns)
    return [p for p in probes if rows_of(p.rows)] + _all_missing(columns)


def _by_likeness(columns: list[Column]) -> list[Probe]:
    """The strange probes, sorted by kind: rejected rows are then adjacent, and few halvings isolate them."""
    numbered = [(p.kind, i, p) for column in columns for i, p in enumerate(_strange_probes(column))]
    return [probe for _, _, probe in sorted(numbered, key=lambda each: each[:2])]


def _blank() -> Probe:
    import numpy as np

    return Probe("missing", "text", {"text": np.array(["", None], object)})


def spread(example: Table, most: int, axes: Axes | None = None) -> Table:
    """At most `most` rows, evenly spaced."""
    import numpy as np

    rows = rows_of(example, axes)
    return example if rows <= most else take(example, np.linspace(0, rows - 1, most).astype(np.int64), axes)


@dataclass(frozen=True)
class Column:
    """One column of the example, which makes rows with other values in it."""

    feature: Feature
    spec: TensorSpec
    position: int
    example: Table

    def cells(self, table: Table) -> np.ndarray[Any, Any]:
        """This column of a table like the example."""
        values = table[self.spec.name]
        return values[:, self.position] if self.position >= 0 else values

    @property
    def values(self) -> np.ndarray[Any, Any]:
        return self.cells(self.example)

    def with_values(self, values: np.ndarray[Any, Any], base: np.ndarray[Any, Any] | None = None) -> Table:
        """Example rows (those at `base`, else one after the other) with this column replaced."""
        import numpy as np

        start = (7 * max(self.position, 0) + len(self.feature.name)) % rows_of(self.example)
        rows = (start + np.arange(len(values))) % rows_of(self.example) if base is None else base
        table = {name: column.copy() for name, column in take(self.example, rows).items()}
        if self.position >= 0:
            table[self.spec.name][:, self.position] = values
        else:
            table[self.spec.name] = values.astype(self.values.dtype)
        return table


def columns_of(description: Description, inputs: tuple[TensorSpec, ...], example: Table) -> Iterator[Column]:
    """One per feature, in the model's order."""
    matrix = not description.named
    by_name = {t.name: t for t in inputs}
    for i, feature in enumerate(description.features):
        spec = inputs[0] if matrix else by_name[feature.name]
        yield Column(feature, spec, i if matrix else -1, example)


def _threshold_probes(column: Column, budget: int) -> list[Probe]:
    """Each threshold exactly and its neighbours in float32 and float64, on the row whose value is nearest."""
    import numpy as np

    if not column.feature.thresholds or column.spec.is_text or column.spec.is_truth:
        return []
    known = np.unique(np.asarray(column.feature.thresholds, np.float64))
    variants = _neighbours(known[:1], column.spec).size
    chosen = known[np.unique(np.linspace(0, len(known) - 1, max(budget // variants, 1)).astype(np.int64))]
    values = _neighbours(chosen, column.spec)
    own = column.values.astype(np.float64)
    order = np.argsort(own, kind="stable")
    nearest = np.searchsorted(own[order], values) - (np.arange(len(values)) % 2)
    base = order[np.clip(nearest, 0, len(order) - 1)]
    rows = column.with_values(values, base)
    return [Probe("threshold", column.feature.name, rows, tried=len(chosen), known=len(known))]


def _neighbours(thresholds: np.ndarray[Any, Any], spec: TensorSpec) -> np.ndarray[Any, Any]:
    import numpy as np

    if not spec.is_float:
        return np.unique(np.concatenate([np.floor(thresholds), np.ceil(thresholds)])).astype(np.int64)
    up, down = np.inf, -np.inf
    with np.errstate(over="ignore"):
        single = thresholds.astype(np.float32)
    beside = [np.nextafter(single, np.float32(towards)).astype(np.float64) for towards in (up, down)]
    exact = [np.nextafter(thresholds, towards) for towards in (up, down)]
    return np.stack([thresholds, *exact, single.astype(np.float64), *beside], axis=1).ravel()


def _value_probes(column: Column) -> list[Probe]:
    """Each value that the model knows."""
    import numpy as np

    known = column.feature.values
    if not known:
        return []
    picks = np.unique(np.linspace(0, len(known) - 1, min(len(known), VALUES_PER_COLUMN)).astype(np.int64))
    cells = [known[int(i)] for i in picks]
    values = np.array([c for c in cells if _fits(c, column.spec)], _cell_type(column.spec))
    rows = column.with_values(values)
    return [Probe("category", column.feature.name, rows, tried=len(values), known=len(known))]


def _fits(value: Any, spec: TensorSpec) -> bool:
    if spec.is_text:
        return isinstance(value, str) and "\0" not in value
    if isinstance(value, str):
        return False
    return spec.is_float or (float(value).is_integer() and abs(value) < 2**63)


def _cell_type(spec: TensorSpec) -> Any:
    import numpy as np

    return object if spec.is_text else np.dtype(spec.dtype)


def _strange_probes(column: Column) -> Iterator[Probe]:
    """Values that the model may reject: unseen values, the empty string, missing cells, large numbers."""
    import numpy as np

    name, spec = column.feature.name, column.spec
    if spec.is_text:
        yield Probe("unseen", name, column.with_values(np.array(_strangers(column), object)))
        yield Probe("empty", name, column.with_values(np.array([""], object)))
        yield Probe("missing", name, column.with_values(np.array([None, None], object)))
    elif spec.is_truth:
        yield Probe("category", name, column.with_values(np.array([0.0, 1.0])), tried=2, known=2)
        yield Probe("missing", name, column.with_values(np.array([np.nan, np.nan])))
    elif spec.is_float:
        tiny = NEARLY_ABSENT if spec.absent else ()
        yield Probe("odd", name, column.with_values(np.array([*ODD_FLOATS, *tiny, *_between(column), *_ends(column)])))
        yield Probe("missing", name, column.with_values(np.array([np.nan, np.nan])))
        for step in (LADDER, BEYOND):
            yield Probe("large", name, column.with_values(np.array([s * v for v in step for s in (1.0, -1.0)])))
    elif spec.dtype == "bool":
        yield Probe("category", name, column.with_values(np.array([False, True])), tried=2, known=2)
    else:
        if spec.is_date:
            yield Probe("missing", name, column.with_values(np.array([NOT_A_TIME, NOT_A_TIME])))
        codes = np.array([*INTEGERS, *_moments(spec), *_between(column), *_ends(column)], np.int64)
        yield Probe("odd", name, column.with_values(codes))


def _moments(spec: TensorSpec) -> list[int]:
    """Dates at the turn of years and months, in the column's unit."""
    if not spec.is_date:
        return []
    unit = spec.frame_dtype[len("datetime64[") :].split(",")[0].rstrip("]")
    return [day * 86400 * _PER_SECOND[unit] + part for day in DAYS for part in (-1, 0)]


def _strangers(column: Column) -> list[str]:
    known = [v for v in column.feature.values if isinstance(v, str)]
    seen = sorted({v for v in column.values if isinstance(v, str)})[:1]
    varied = [f(v) for v in [*known[:1], *seen] for f in (str.upper, str.lower, lambda v: v + " ", lambda v: " " + v)]
    return [s for s in dict.fromkeys([*STRANGERS, *varied]) if s not in known]


def _between(column: Column) -> list[float]:
    """Codes next to the known ones: the adjacent integers and, in a float column, fractions."""
    numbers = [float(v) for v in column.feature.values if not isinstance(v, str)]
    if not numbers:
        return []
    beyond = [max(numbers) + 1, min(numbers) - 1]
    return [*beyond, max(numbers) - 0.3, min(numbers) + 0.5] if column.spec.is_float else beyond


def _ends(column: Column) -> list[float]:
    """The numbers at which the model may begin to reject, and near and farther neighbours."""
    import numpy as np

    bounds = np.array(column.feature.bounds, np.float64)
    if not bounds.size:
        return []
    if not column.spec.is_float:
        return [float(v) for b in bounds for v in (np.floor(b) - 1, np.floor(b), np.ceil(b), np.ceil(b) + 1)]
    steps = [bounds + n * np.spacing(np.abs(bounds)) for n in (-8, -4, -2, 2, 4, 8)]
    return sorted({float(v) for v in np.concatenate([_neighbours(bounds, column.spec), *steps])})


def _all_missing(columns: list[Column]) -> list[Probe]:
    """One row in which every nullable cell is missing."""
    import numpy as np

    open_columns = [c for c in columns if c.spec.is_text or c.spec.is_float]
    if len(open_columns) < 2:
        return []
    row = {name: values.copy() for name, values in take(columns[0].example, slice(0, 1)).items()}
    for column in open_columns:
        if column.position >= 0:
            row[column.spec.name][:, column.position] = np.nan
        else:
            row[column.spec.name] = np.array([None if column.spec.is_text else np.nan], _cell_type(column.spec))
    return [Probe("missing", "", row)]


def together(probes: list[Probe]) -> tuple[Table, list[str], list[str]]:
    """All rows in one table, and per row its kind and its column."""
    kinds = [p.kind for p in probes for _ in range(rows_of(p.rows))]
    columns = [p.column for p in probes for _ in range(rows_of(p.rows))]
    return stack([p.rows for p in probes]), kinds, columns
