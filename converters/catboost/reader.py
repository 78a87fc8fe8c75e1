"""Parses a CatBoost model: its trees as flat arrays, its columns, and the integers behind its category hashes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from .._trees.arrays import Trees
from ..spec import Unsupported
from .cityhash import hashes_of_cells
from .ctr import Ctr, categories_behind, statistics

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

SEARCHED = range(-99_999, 2_000_000)
"""The integers that are tried to find the category behind a hash."""


_NUMBERS = {"text": "TfidfVectorizer and TruncatedSVD", "embedding": "one column per number"}
"""The suggested replacement of such a feature."""


@dataclass(frozen=True)
class Parsed:
    """A parsed model: `scale * (sum of leaves) + bias`.

    `numbers`: position of each numeric column among the model's columns. `categories`: the same for categorical ones.
    `missing_left`: per numeric column, whether a missing cell is below every border.
    `one_hot`: pairs (number of the categorical column, hash); each is a 0/1 column after the numeric ones in `trees`.
    `ctrs`: statistics of categories, grouped by projection; each is a column after the 0/1 columns.
    """

    trees: Trees
    scale: float
    bias: tuple[float, ...]
    numbers: tuple[int, ...]
    categories: tuple[int, ...]
    missing_left: tuple[bool, ...]
    one_hot: tuple[tuple[int, int], ...]
    ctrs: tuple[Ctr, ...]
    metadata: dict[str, Any]

    def asked(self, number: int) -> bool:
        """Returns whether the prediction depends on a categorical column."""
        looked_at = {
            n for ctr in self.ctrs for n in (*ctr.projection.categories, *(c for c, _ in ctr.projection.hashes))
        }
        return number in looked_at or any(owner == number for owner, _ in self.one_hot)

    def combined(self, number: int) -> bool:
        """Returns whether a statistic combines a categorical column with anything else."""
        return any(number in ctr.projection.categories and not ctr.projection.alone for ctr in self.ctrs)

    def hashes(self, number: int) -> frozenset[int]:
        """Returns the hashes of a categorical column that are known individually; combinations hide theirs."""
        own = {h for owner, h in self.one_hot if owner == number}
        for ctr in self.ctrs:
            own |= {h for owner, h in ctr.projection.hashes if owner == number}
            if ctr.projection.alone and ctr.projection.categories == (number,):
                own.update(categories_behind(ctr).tolist())
        return frozenset(own)


def parse(model: Any) -> Parsed:
    """Returns the parsed model; raises `Unsupported` where it has features other than numbers and categories."""
    plain = dump(model)
    info = plain["features_info"]
    splits = _Splits(info, statistics(plain))
    symmetric = plain.get("oblivious_trees")
    trees = _symmetric(symmetric, splits) if symmetric is not None else _free(plain["trees"], splits)
    scale, bias = plain["scale_and_bias"]
    return Parsed(
        trees,
        float(scale),
        tuple(map(float, bias if isinstance(bias, list) else [bias])),
        tuple(int(f["flat_feature_index"]) for f in info.get("float_features") or []),
        tuple(int(f["flat_feature_index"]) for f in _categorical(info)),
        tuple(splits.missing_left),
        tuple(splits.one_hot),
        tuple(splits.ctrs),
        plain["model_info"],
    )


def dump(model: Any) -> dict[str, Any]:
    """Returns the model in CatBoost's JSON format."""
    for kind in ("text", "embedding"):
        columns = [str(model.feature_names_[i]) for i in _positions(model, kind)]
        if columns:
            raise Unsupported(
                f"CatBoost's {kind} features (the column {', '.join(map(repr, columns))}) have no graph: drop them, "
                f"or convert them to numbers before the fit ({_NUMBERS[kind]} in a scikit-learn pipeline)"
            )
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.json")
        try:
            model.save_model(str(path), format="json")
        except Exception as error:
            raise Unsupported(f"CatBoost cannot write this model as JSON: {error}") from error
        plain: dict[str, Any] = json.loads(path.read_bytes())
    return plain


def _positions(model: Any, kind: str) -> list[int]:
    """Returns the columns of a type of feature; none where the installed CatBoost is too old to have the type."""
    ask = getattr(model, f"get_{kind}_feature_indices", None)
    return list(ask()) if ask is not None else []


class _Splits:
    """Splits as (column, threshold, NaN goes left): numeric columns, one 0/1 column per category, the statistics."""

    def __init__(self, info: dict[str, Any], ctrs: tuple[Ctr, ...]) -> None:
        numbers = info.get("float_features") or []
        self.missing_left = [f["nan_value_treatment"] != "AsTrue" for f in numbers]
        pairs = [(int(f["feature_index"]), int(v)) for f in _categorical(info) for v in f.get("values") or []]
        self.one_hot = {pair: len(numbers) + i for i, pair in enumerate(pairs)}
        first = {ctr.projection: i for i, ctr in reversed(list(enumerate(ctrs)))}
        order = sorted(range(len(ctrs)), key=lambda i: (first[ctrs[i].projection], i))
        self.ctrs = [ctrs[i] for i in order]
        place = {i: len(numbers) + len(pairs) + n for n, i in enumerate(order)}
        before = sum(len(f["borders"] or []) for f in numbers) + len(pairs)
        borders = [(place[i], border) for i, ctr in enumerate(ctrs) for border in ctr.borders]
        self._of_statistics = dict(enumerate(borders, before))

    def __call__(self, split: dict[str, Any]) -> tuple[int, float, bool]:
        kind = split["split_type"]
        if kind == "FloatFeature":
            column = split["float_feature_index"]
            return column, split["border"], self.missing_left[column]
        if kind == "OneHotFeature":
            return self.one_hot[int(split["cat_feature_index"]), int(split["value"])], 0.5, True
        if kind != "OnlineCtr":
            raise Unsupported(f"CatBoost's {kind} splits have no converter")
        found, border = self._of_statistics.get(split["split_index"], (-1, None))
        if border != split["border"]:
            raise Unsupported("this version of CatBoost numbers the statistics of its splits in an unknown way")
        return found, split["border"], True


def _categorical(info: dict[str, Any]) -> list[dict[str, Any]]:
    return info.get("categorical_features") or []


def _symmetric(trees: list[dict[str, Any]], splits: _Splits) -> Trees:
    """Returns symmetric trees as heaps, the last split at the root, so that leaves are in the order of their index."""
    import numpy as np

    tests = [[splits(s) for s in reversed(t["splits"] or [])] for t in trees]
    depths = np.array([len(t) for t in tests], np.int64)
    sizes = 2 ** (depths + 1) - 1
    roots = np.cumsum(sizes) - sizes
    total = int(sizes.sum())
    width = len(trees[0]["leaf_values"]) >> int(depths[0])
    feature, threshold = np.full(total, -1, np.int64), np.zeros(total)
    missing_left, leaf = np.zeros(total, bool), np.zeros((total, width))
    for root, own, tree in zip(roots.tolist(), tests, trees):
        for level, (column, border, nan_left) in enumerate(own):
            inside = slice(root + 2**level - 1, root + 2 ** (level + 1) - 1)
            feature[inside], threshold[inside], missing_left[inside] = column, border, nan_left
        leaves = slice(root + 2 ** len(own) - 1, root + 2 ** (len(own) + 1) - 1)
        leaf[leaves] = np.reshape(tree["leaf_values"], (-1, width))
    place = np.arange(total)
    start = np.repeat(roots, sizes)
    inner = feature >= 0
    left = np.where(inner, 2 * (place - start) + 1 + start, 0)
    right = np.where(inner, left + 1, 0)
    return replace(_trees(roots, feature, threshold, left, right, missing_left, leaf), symmetric=True)


def _free(trees: list[dict[str, Any]], splits: _Splits) -> Trees:
    """Returns trees of any shape, nodes in depth-first order; the side where a split is true is the right one."""
    import numpy as np

    rows: list[tuple[int, float, bool]] = []
    values: list[Any] = []
    links: list[list[int]] = []
    roots = []
    for tree in trees:
        roots.append(len(rows))
        for node, parent, side in _walk(tree, len(rows)):
            if parent >= 0:
                links[parent][side] = len(rows)
            links.append([0, 0])
            rows.append(splits(node["split"]) if "split" in node else (-1, 0.0, False))
            values.append(None if "split" in node else node["value"])
    feature, threshold, missing_left = map(np.array, zip(*rows))
    width = np.size(next(v for v in values if v is not None))
    leaf = np.array([np.zeros(width) if v is None else np.ravel(v) for v in values], float)
    left, right = np.array(links, np.int64).T
    return _trees(np.array(roots, np.int64), feature, threshold, left, right, missing_left, leaf)


def _walk(tree: dict[str, Any], start: int) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Yields each node with its parent's index and its side; parents come first, numbered from `start`."""
    waiting, index = [(tree, -1, 0)], start
    while waiting:
        node, parent, side = waiting.pop()
        yield node, parent, side
        if "split" in node:
            waiting += [(node["right"], index, 1), (node["left"], index, 0)]
        index += 1


def _trees(
    roots: Array, feature: Array, threshold: Array, left: Array, right: Array, missing_left: Array, leaf: Array
) -> Trees:
    width = leaf.shape[1]
    values = leaf[:, 0] if width == 1 else leaf
    return Trees(roots, feature, threshold, left, right, missing_left, values, targets=width)


@lru_cache(maxsize=8)
def integers_behind(hashes: frozenset[int]) -> dict[int, list[int]]:
    """Returns, per hash (signed, 32 bits), the sorted integers in `SEARCHED` that have this hash."""
    import numpy as np

    found: dict[int, list[int]] = {h: [] for h in hashes}
    targets = np.array(sorted(hashes), np.int64)
    texts = np.array(SEARCHED, np.int64).astype("S8")
    lengths = np.char.str_len(texts)
    for length in np.unique(lengths).tolist():
        group = texts[lengths == length]
        cells = group.view(np.uint8).reshape(-1, 8)[:, :length]
        hashed = hashes_of_cells(cells)
        for row in np.flatnonzero(np.isin(hashed, targets)).tolist():
            found[int(hashed[row])].append(int(group[row]))
    return {h: sorted(v) for h, v in found.items()}
