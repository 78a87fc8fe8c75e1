"""Parses a lightgbm booster: its objective, its trees as flat arrays, its leaf models, its columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._trees.arrays import Trees
from ..spec import Unsupported

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

ZERO = 1.0000000180025095e-35
"""lightgbm's `kZeroThreshold`, the float 1e-35f as a double: magnitudes up to it count as 0."""

_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_NO_MISSING, _ZERO_MISSING, _NAN_MISSING = 0, 1, 2


@dataclass(frozen=True)
class LeafModels:
    """The linear models at the leaves of `linear_tree`, one row per leaf: `constant` `[L]`, `features`,
    `coefficients` and `used` `[L, K]`; `fallback` `[L]` is the value where a used feature is missing.
    `starts` `[T]`: the row of each tree's first leaf."""

    constant: Array
    features: Array
    coefficients: Array
    used: Array
    fallback: Array
    starts: Array


@dataclass(frozen=True)
class Parsed:
    """One booster. `per_round`: trees per boosting round, one per group. `average`: the sum is divided by the number
    of rounds (`boosting=rf`). `zero_missing`: columns in which 0 is a missing cell. `coded`: by column, the codes that
    splits test. `listed`: columns that training used as categories; `unused`: those that it found constant."""

    objective: str
    options: Mapping[str, str]
    names: tuple[str, ...]
    per_round: int
    rounds: int
    average: bool
    trees: Trees | None
    leaf_number: Array | None = None
    models: LeafModels | None = None
    zero_missing: tuple[int, ...] = ()
    coded: Mapping[int, list[int]] = field(default_factory=dict)
    listed: tuple[int, ...] = ()
    unused: tuple[int, ...] = ()


def objective_of(booster: Any) -> str:
    """Returns the objective's name; empty for a user-defined function."""
    text = booster.model_to_string(num_iteration=1)
    return _fields(text[: text.index("\n\n")]).get("objective", "").split(" ")[0]


def parsed(booster: Any, sparse: bool = False) -> Parsed:
    """Parses a booster: the rounds up to its best iteration, as `Booster.predict` uses them.

    `sparse`: for a sparse matrix, where lightgbm compares cells near 0 unchanged; in a dense one they become 0.
    """
    text = booster.model_to_string()
    header = _fields(text[: text.index("\n\n")])
    blocks = text[: text.index("\nend of trees")].split("\nTree=")[1:]
    trees = [_fields(block) for block in blocks]
    name, *rest = header.get("objective", "").split(" ")
    infos = header.get("feature_infos", "").split(" ")
    per_round = int(header["num_tree_per_iteration"])
    common: dict[str, Any] = {
        "objective": name,
        "options": {o.partition(":")[0]: o.partition(":")[2] for o in rest if o},
        "names": tuple(booster.feature_name()),
        "per_round": per_round,
        "rounds": len(trees) // max(per_round, 1),
        "average": "average_output" in header,
        "listed": tuple(i for i, info in enumerate(infos) if info != "none" and not info.startswith("[")),
        "unused": tuple(i for i, info in enumerate(infos) if info == "none"),
    }
    if not trees:
        return Parsed(trees=None, **common)
    return _with_trees(_Arrays(trees), per_round, common, sparse)


def _fields(lines: str) -> dict[str, str]:
    pairs = [line.split("=", 1) for line in lines.split("\n") if line]
    return {pair[0]: pair[1] if len(pair) > 1 else "" for pair in pairs}


def _numbers(lines: Iterable[str], dtype: Any = float) -> Array:
    """Parses all numbers of the lines, each as the nearest double."""
    import numpy as np

    return np.fromstring(" ".join(lines), dtype, sep=" ")


class _Arrays:
    """The fields of all trees, one tree after the other, each field parsed at once."""

    def __init__(self, trees: list[dict[str, str]]) -> None:
        import numpy as np

        self.trees = trees
        self.leaves = np.array([int(t["num_leaves"]) for t in trees])
        self.inner = self.leaves - 1
        self.tree = np.repeat(np.arange(len(trees)), self.inner)

    def field(self, name: str, dtype: Any = float) -> Array:
        """Returns the numbers of a field of the inner nodes, or of the leaves."""
        lines = (t.get(name, "") for t, n in zip(self.trees, self.leaves) if n > 1 or name == "leaf_value")
        return _numbers(lines).astype(dtype)


def _with_trees(arrays: _Arrays, per_round: int, common: dict[str, Any], sparse: bool) -> Parsed:
    import numpy as np

    decision, threshold = arrays.field("decision_type", int), arrays.field("threshold")
    feature = arrays.field("split_feature", int)
    numeric = (decision & _CATEGORICAL) == 0
    kind, default_left = (decision >> 2) & 3, (decision & _DEFAULT_LEFT) > 0
    natural = threshold >= 0
    missing_left = numeric & np.where(kind == _NO_MISSING, natural, default_left)
    trees = _flat(arrays, feature, threshold if sparse else _beside_zero(threshold), missing_left, per_round)
    sets = _sets(arrays, threshold, ~numeric)
    coded: dict[int, set[int]] = {}
    for place, codes in sets.items():
        coded.setdefault(int(feature[place]), set()).update(codes)
    places = _places(arrays)
    return Parsed(
        trees=_replaced(trees, {int(places[i]): codes for i, codes in sets.items()}),
        leaf_number=_leaf_numbers(arrays),
        models=_leaf_models(arrays),
        zero_missing=_zero_missing(feature, numeric, kind, default_left, natural),
        coded={column: sorted(codes) for column, codes in coded.items()},
        **common,
    )


def _beside_zero(threshold: Array) -> Array:
    """Returns the thresholds, those nearest to 0 moved so that all numbers up to `ZERO` go where 0 goes."""
    import numpy as np

    outside = np.nextafter(-ZERO, -np.inf)
    moved = np.where((threshold >= -ZERO) & (threshold < 0), outside, threshold)
    return np.where((threshold >= 0) & (threshold < ZERO), ZERO, moved)


def _starts(arrays: _Arrays) -> Array:
    """Returns where each tree begins among all nodes: first its inner nodes, then its leaves."""
    import numpy as np

    return np.concatenate([[0], np.cumsum(arrays.inner + arrays.leaves)[:-1]])


def _places(arrays: _Arrays) -> Array:
    """Returns each inner node's position among all nodes."""
    import numpy as np

    first = np.concatenate([[0], np.cumsum(arrays.inner)[:-1]])
    return np.asarray(np.arange(len(arrays.tree)) - first[arrays.tree] + _starts(arrays)[arrays.tree])


def _leaf_places(arrays: _Arrays) -> Array:
    import numpy as np

    starts = _starts(arrays) + arrays.inner
    return np.concatenate([np.arange(s, s + n) for s, n in zip(starts, arrays.leaves)])


def _flat(arrays: _Arrays, feature: Array, threshold: Array, missing_left: Array, per_round: int) -> Trees:
    import numpy as np

    starts, inner, size = _starts(arrays), _places(arrays), int((arrays.inner + arrays.leaves).sum())

    def spread(values: Array, dtype: Any, rest: float = 0) -> Array:
        whole = np.full(size, rest, dtype)
        whole[inner] = values
        return whole

    def children(name: str) -> Array:
        child = arrays.field(name, int)
        leaf = arrays.inner[arrays.tree] + ~child
        return spread(starts[arrays.tree] + np.where(child >= 0, child, leaf), np.int64)

    leaf = np.zeros(size)
    leaf[_leaf_places(arrays)] = arrays.field("leaf_value")
    counts = arrays.inner + arrays.leaves
    return Trees(
        roots=starts,
        feature=spread(feature, np.int64, -1),
        threshold=spread(threshold, np.float64),
        left=children("left_child"),
        right=children("right_child"),
        missing_left=spread(missing_left, bool),
        leaf=leaf,
        target=np.repeat(np.arange(len(counts)) % per_round, counts),
        targets=per_round,
    )


def _replaced(trees: Trees, sets: dict[int, frozenset[int]]) -> Trees:
    from dataclasses import replace

    return replace(trees, category=sets) if sets else trees


def _sets(arrays: _Arrays, threshold: Array, categorical: Array) -> dict[int, frozenset[int]]:
    """Returns, by inner node, the codes that go left; they are stored as bits of 32-bit words."""
    import numpy as np

    found: dict[int, frozenset[int]] = {}
    tree = -1
    bounds, words = np.zeros(0, np.int64), np.zeros(0, np.uint32)
    for node in np.flatnonzero(categorical).tolist():
        if arrays.tree[node] != tree:
            tree = int(arrays.tree[node])
            bounds = np.array(arrays.trees[tree]["cat_boundaries"].split(), np.int64)
            words = np.array(arrays.trees[tree]["cat_threshold"].split(), np.uint32)
        index = int(threshold[node])
        bits = np.unpackbits(words[bounds[index] : bounds[index + 1]].astype("<u4").view(np.uint8), bitorder="little")
        found[node] = frozenset(np.flatnonzero(bits).tolist())
    return found


def _zero_missing(feature: Array, numeric: Array, kind: Array, default_left: Array, natural: Array) -> tuple[int, ...]:
    """Returns the columns in which 0 must be read as missing; their other nodes must agree with that."""
    import numpy as np

    differs = default_left != natural
    columns = np.unique(feature[numeric & (kind == _ZERO_MISSING) & differs])
    inside = numeric & np.isin(feature, columns)
    if (inside & (kind == _NAN_MISSING) & differs).any():
        raise Unsupported("zero_as_missing: continued training (init_model) changed the option; train in one run")
    return tuple(int(c) for c in columns)


def _leaf_numbers(arrays: _Arrays) -> Array:
    """Returns each leaf's number in its tree; 0 elsewhere."""
    import numpy as np

    numbers = np.zeros(int((arrays.inner + arrays.leaves).sum()))
    numbers[_leaf_places(arrays)] = np.concatenate([np.arange(n) for n in arrays.leaves])
    return numbers


def _leaf_models(arrays: _Arrays) -> LeafModels | None:
    """Returns the leaf models; None where no tree has one."""
    import numpy as np

    linear = [t.get("is_linear", "0") == "1" and bool(t.get("leaf_const")) for t in arrays.trees]
    if not any(linear):
        return None
    both = list(zip(arrays.trees, linear))
    count = _numbers(t["num_features"] if own else "0 " * int(t["num_leaves"]) for t, own in both).astype(np.int64)
    used = np.arange(max(count.max(), 1))[None, :] < count[:, None]
    features, coefficients = np.zeros(used.shape, np.int64), np.zeros(used.shape)
    features[used] = _numbers((t["leaf_features"] for t, own in both if own), np.int64)
    coefficients[used] = _numbers(t["leaf_coeff"] for t, own in both if own)
    constant = _numbers(t["leaf_const" if own else "leaf_value"] for t, own in both)
    starts = np.concatenate([[0], np.cumsum(arrays.leaves)[:-1]])
    return LeafModels(constant, features, coefficients, used, arrays.field("leaf_value"), starts)
