"""CatBoost's category statistics (CTR) from its JSON format: the cells that they look up, and their values.

A statistic reads a few cells of a row: categories, whether a number is above a border, and whether a category has
a given hash. Together they form a hash; a table maps it to counts of the training rows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..spec import Unsupported

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MULTIPLIER = 0x4906BA494954CB65
INVERSE = pow(MULTIPLIER, -1, 2**64)
EMPTY = 2**64 - 1
"""The hash that marks an empty slot of a table."""

_SKIPPED = (
    "the CatBoost model has no target statistics of its categories (it was trained with "
    "final_ctr_computation_mode='Skip'): train it with 'Default'"
)


@dataclass(frozen=True)
class Projection:
    """The cells that a statistic reads, in the order of the hash.

    `categories`: numbers of categorical columns. `borders`: pairs (number of the numeric column, border).
    `hashes`: pairs (number of the categorical column, hash).
    """

    categories: tuple[int, ...]
    borders: tuple[tuple[int, float], ...]
    hashes: tuple[tuple[int, int], ...]

    @property
    def alone(self) -> bool:
        """Whether it is a single category and nothing else."""
        return len(self.categories) == 1 and not self.borders and not self.hashes


@dataclass(frozen=True)
class Ctr:
    """One statistic: `hashes` `uint64 [B]`, sorted, of its table; `values` `float32 [B + 1]`, the last for all
    others; `borders`: where trees split it."""

    projection: Projection
    hashes: Array
    values: Array
    borders: tuple[float, ...]


def statistics(plain: dict[str, Any]) -> tuple[Ctr, ...]:
    """Returns the statistics of a model in the order of its own numbering; `plain`: its JSON form."""
    return tuple(_ctr(entry, plain.get("ctr_data") or {}) for entry in plain["features_info"].get("ctrs") or [])


def _ctr(entry: dict[str, Any], tables: dict[str, Any]) -> Ctr:
    import numpy as np

    table = tables.get(entry["identifier"]) or tables.get(_compact(entry["identifier"]))
    if table is None:
        raise Unsupported(_SKIPPED)
    cells = np.array([int(cell) if isinstance(cell, str) else 0 for cell in table["hash_map"]], np.uint64)
    stride = int(table["hash_stride"])
    hashes = cells[::stride]
    counts = np.array([float(cell) for cell in table["hash_map"]]).reshape(-1, stride)[:, 1:]
    taken = np.flatnonzero(hashes != np.uint64(EMPTY))
    order = taken[np.argsort(hashes[taken])]
    values = _values(entry, counts[order], float(table["counter_denominator"]))
    return Ctr(_projection(entry["elements"]), hashes[order], values, tuple(entry["borders"]))


def _compact(identifier: str) -> str:
    return json.dumps(json.loads(identifier), separators=(",", ":"))


def _projection(elements: list[dict[str, Any]]) -> Projection:
    kinds: dict[str, list[Any]] = {"cat_feature_value": [], "float_feature": [], "cat_feature_exact_value": []}
    for element in elements:
        kind = element["combination_element"]
        if kind == "float_feature":
            kinds[kind].append((int(element["float_feature_index"]), float(element["border"])))
        elif kind == "cat_feature_exact_value":
            kinds[kind].append((int(element["cat_feature_index"]), int(element["value"])))
        else:
            kinds[kind].append(int(element["cat_feature_index"]))
    return Projection(*map(tuple, kinds.values()))


def _values(entry: dict[str, Any], counts: Array, denominator: float) -> Array:
    """Returns the statistic for each row of counts, then for hashes that are not in the table."""
    import numpy as np

    good, total = _counted(entry, counts, denominator)
    unknown = denominator if entry["ctr_type"] in ("Counter", "FeatureFreq") else 0.0
    single = np.float32
    good = np.append(good, 0.0).astype(single)
    total = np.append(total, unknown).astype(single)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (good + single(entry["prior_numerator"])) / (total + single(entry["prior_denomerator"]))
    return np.asarray((share + single(entry["shift"])) * single(entry["scale"]), single)


def _counted(entry: dict[str, Any], counts: Array, denominator: float) -> tuple[Array, Array]:
    """Returns, per row of counts, the numerator and the total."""
    import numpy as np

    kind, border = entry["ctr_type"], int(entry["target_border_idx"])
    if kind in ("Counter", "FeatureFreq"):
        return counts[:, 0], np.full(len(counts), denominator)
    if kind in ("BinarizedTargetMeanValue", "FloatTargetMeanValue"):
        return counts[:, 0], counts[:, 1]
    if kind == "Buckets":
        return counts[:, border], counts.sum(axis=1)
    if kind == "Borders":
        above = border if counts.shape[1] > 2 else 0
        return counts[:, above + 1 :].sum(axis=1), counts.sum(axis=1)
    raise Unsupported(f"CatBoost's statistics of type {kind} have no converter")


def chained(before: Array, cells: Array) -> Array:
    """Returns the hash after one more cell, `uint64`; `cells`: signed hashes of categories, or 0 and 1."""
    import numpy as np

    k = np.uint64(MULTIPLIER)
    return np.asarray((before + cells.astype(np.int64).view(np.uint64) * k) * k)


def categories_behind(ctr: Ctr) -> Array:
    """Returns the signed category hashes in the table of a single-category statistic, `int64 [B]`."""
    import numpy as np

    once = np.uint64(INVERSE)
    return np.asarray(((ctr.hashes * once) * once).view(np.int64))
