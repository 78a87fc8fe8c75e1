"""Parses an xgboost booster: its objective, its trees as flat arrays or its weights, its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._trees.arrays import Trees
from ..spec import Scalar, Unsupported
from .ubjson import parse

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

LOGISTIC = ("binary:logistic", "reg:logistic")
EXPONENTIAL = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:aft", "survival:cox")
SOFT = ("multi:softmax", "multi:softprob")
HINGE = "binary:hinge"
PLAIN = (
    "binary:logitraw",
    "rank:map",
    "rank:ndcg",
    "rank:pairwise",
    "reg:absoluteerror",
    "reg:expectileerror",
    "reg:pseudohubererror",
    "reg:quantileerror",
    "reg:squarederror",
    "reg:squaredlogerror",
)


@dataclass(frozen=True)
class Parsed:
    """One booster. `base`: the initial value of every score, float32 `[groups]`, in the units of the score.

    `trees`: None for a linear booster, whose `weights` are `[width + 1, groups]`, the last row the bias.
    `categories`: by column, the categories of the training data frame, in the order of their codes.
    `coded`: by column, the codes that some split tests.
    """

    objective: str
    base: Array
    groups: int
    width: int
    names: tuple[str, ...]
    trees: Trees | None = None
    weights: Array | None = None
    categories: Mapping[int, list[Scalar]] = field(default_factory=dict)
    coded: Mapping[int, list[int]] = field(default_factory=dict)


def objective_of(booster: Any) -> tuple[str, int]:
    """Returns the objective's name and the number of classes (0 where there are none)."""
    import json

    learner = json.loads(booster.save_config())["learner"]
    return str(learner["objective"]["name"]), int(learner["learner_model_param"]["num_class"])


def parsed(booster: Any, rounds: int) -> Parsed:
    """Parses the booster; `rounds`: the number of boosting rounds to use, 0 for all."""
    learner = parse(bytes(booster.save_raw("ubj")))["learner"]
    shape = learner["learner_model_param"]
    groups = max(int(shape["num_class"]), int(shape.get("num_target", 1)), 1)
    objective, width = learner["objective"]["name"], int(shape["num_feature"])
    names = tuple(booster.feature_names or ())
    base = _base(objective, shape["base_score"], groups)
    machine = learner["gradient_booster"]
    if machine["name"] == "gblinear":
        weights = _numbers(machine["model"]["weights"], "float32").reshape(width + 1, groups)
        return Parsed(objective, base, groups, width, names, weights=weights)
    if machine["name"] not in ("gbtree", "dart"):
        raise Unsupported(f"xgboost's booster={machine['name']!r} is not supported")
    model = machine["model"] if machine["name"] == "gbtree" else machine["gbtree"]["model"]
    trees, owners = _counted(model, rounds, groups)
    drop = machine.get("weight_drop")
    flat = _flat(trees, owners, groups, None if drop is None else _numbers(drop, "float32"))
    codes = _codes(trees, flat)
    return Parsed(objective, base, groups, width, names, flat, None, _categories(model, width), codes)


def _base(objective: str, text: Any, groups: int) -> Array:
    """Returns the base score in the units of the score; xgboost stores it in the units of the prediction."""
    import json

    import numpy as np

    score = np.atleast_1d(np.asarray(json.loads(str(text)), np.float32))
    one = np.float32(1)
    with np.errstate(all="ignore"):
        if objective in LOGISTIC:
            score = -np.log(one / score - one)
        elif objective in EXPONENTIAL:
            score = np.log(score)
    return np.broadcast_to(score, (groups,)).astype(np.float32)


def _numbers(values: Any, dtype: str) -> Array:
    import numpy as np

    return np.asarray(values, dtype)


def _counted(model: Any, rounds: int, groups: int) -> tuple[list[Any], Array]:
    """Returns the trees that are used, and the group of each."""
    trees, owners = list(model["trees"]), _numbers(model["tree_info"], "int64")
    if not rounds:
        return trees, owners
    if "iteration_indptr" in model:
        count = int(model["iteration_indptr"][rounds])
    else:
        count = rounds * groups * max(int(model["gbtree_model_param"].get("num_parallel_tree", 1)), 1)
    return trees[:count], owners[:count]


def _flat(trees: list[Any], owners: Array, groups: int, weights: Array | None) -> Trees | None:
    """Returns all trees as one set of arrays; None where there is no tree."""
    import numpy as np

    if not trees:
        return None
    sizes = np.array([len(t["left_children"]) for t in trees])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    shift = np.repeat(starts, sizes)
    left, right = _joined(trees, "left_children", "int64"), _joined(trees, "right_children", "int64")
    is_leaf = left < 0
    conditions = _joined(trees, "split_conditions", "float32")
    scale = np.float32(1) if weights is None else np.repeat(weights[: len(trees)], sizes)
    vectors = any(int(t["tree_param"].get("size_leaf_vector", 0)) > 1 for t in trees)
    leaf = _vectors(trees, groups) if vectors else np.where(is_leaf, conditions, np.float32(0))
    if vectors and weights is not None:
        raise Unsupported("xgboost's booster='dart' with multi_strategy='multi_output_tree' is not supported")
    flat = Trees(
        roots=starts,
        feature=np.where(is_leaf, -1, _joined(trees, "split_indices", "int64")),
        threshold=conditions,
        left=np.where(is_leaf, 0, left + shift),
        right=np.where(is_leaf, 0, right + shift),
        missing_left=_joined(trees, "default_left", "int64").astype(bool),
        leaf=leaf if vectors else leaf * scale,
        target=None if vectors else np.repeat(owners, sizes),
        targets=groups,
        strict=True,
    )
    return _with_sets(flat, trees, starts)


def _joined(trees: list[Any], key: str, dtype: str) -> Array:
    import numpy as np

    return np.concatenate([_numbers(t[key], dtype) for t in trees])


def _vectors(trees: list[Any], groups: int) -> Array:
    """Returns each leaf's vector, `[M, groups]`; the right-child field of a leaf stores its number among the leaves."""
    import numpy as np

    parts = []
    for tree in trees:
        left = _numbers(tree["left_children"], "int64")
        part = np.zeros((len(left), groups))
        leaves = np.flatnonzero(left < 0)
        if "leaf_weights" in tree:
            table = _numbers(tree["leaf_weights"], "float32").reshape(-1, groups)
            part[leaves] = table[_numbers(tree["right_children"], "int64")[leaves]]
        else:
            part[leaves] = _numbers(tree["base_weights"], "float32").reshape(-1, groups)[leaves]
        parts.append(part)
    return np.concatenate(parts)


def _with_sets(flat: Trees, trees: list[Any], starts: Array) -> Trees:
    """Adds the category splits: xgboost sends a chosen category right, so the children are swapped."""
    from dataclasses import replace

    import numpy as np

    sets: dict[int, frozenset[int]] = {}
    for tree, start in zip(trees, starts.tolist()):
        codes = _numbers(tree.get("categories", ()), "int64")
        places = (tree.get(f"categories_{name}", ()) for name in ("nodes", "segments", "sizes"))
        for node, first, size in zip(*(_numbers(p, "int64").tolist() for p in places)):
            sets[start + node] = frozenset(codes[first : first + size].tolist())
    if not sets:
        return flat
    nodes = np.array(list(sets))
    left, right, missing_left = flat.left.copy(), flat.right.copy(), flat.missing_left.copy()
    left[nodes], right[nodes] = flat.right[nodes], flat.left[nodes]
    missing_left[nodes] = ~flat.missing_left[nodes]
    return replace(flat, left=left, right=right, missing_left=missing_left, category=sets)


def _codes(trees: list[Any], flat: Trees | None) -> dict[int, list[int]]:
    """Returns, by column, the codes that a split tests."""
    found: dict[int, set[int]] = {}
    for node, codes in (flat.category or {}).items() if flat is not None else ():
        found.setdefault(int(flat.feature[node]) if flat is not None else 0, set()).update(codes)
    return {column: sorted(codes) for column, codes in found.items()}


def _categories(model: Any, width: int) -> dict[int, list[Scalar]]:
    """Returns, by column, the categories of the training data frame (stored since xgboost 3.1)."""
    held = model.get("cats", {}).get("enc", ())
    return {i: values for i, values in enumerate(map(_values, held)) if values}


def _values(held: Any) -> list[Scalar]:
    if "offsets" not in held:
        return [v.item() if hasattr(v, "item") else v for v in held["values"]]
    import numpy as np

    raw = np.asarray(held["values"], np.int8)
    if (raw < 0).any():
        raise Unsupported(
            "enable_categorical with non-ASCII category names: xgboost counts characters but cuts bytes, "
            "so the full names are lost; rename the categories or train on their codes"
        )
    text, offsets = raw.tobytes().decode("ascii"), [int(o) for o in held["offsets"]]
    return [text[a:b] for a, b in zip(offsets, offsets[1:])]
