"""Category encoders: a column per category, a number per category, or the mean of the target."""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._steps.step import Answer, Step
from ..spec import Unsupported
from ._categories import is_missing, known_values, lookup
from ._outputs import block

_NONE = -1
"""The code of a cell without an output column."""


def one_hot(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns one column per retained category, 1 where the cell has it."""
    columns = graph.columns(frame)
    codes = [
        lookup(column, categories, *_positions(fitted, i), graph)
        for i, (column, categories) in enumerate(zip(columns, fitted.categories_))
    ]
    counts = [int(n) for n in fitted._n_features_outs]
    owner = [i for i, count in enumerate(counts) for _ in range(count)]
    own = [position for count in counts for position in range(count)]
    if not own:
        raise Unsupported("the OneHotEncoder has no output column: every category is dropped")
    table = codes[0] if len(codes) == 1 else graph.op("Concat", *codes, axis=1)
    if len(codes) > 1:
        table = graph.op("Gather", table, graph.const(owner, "int64"), axis=1)
    hit = graph.op("Equal", table, graph.const([own], "int64"))
    return block(graph.cast(Value(hit, "bool"), graph.real).name, len(own), graph)


def _positions(fitted: Any, column: int) -> tuple[list[int], int]:
    """Returns the output column of each category, and that of an unknown one (`_NONE`: no column)."""
    count = len(fitted.categories_[column])
    groups, unknown = _grouped(fitted, column, count)
    if fitted.handle_unknown not in ("infrequent_if_exist", "warn"):
        unknown = _NONE
    dropped = _drop_position(fitted, column)
    if dropped is None:
        return groups, unknown
    after = [_NONE if g == dropped else g - (g > dropped) for g in (*groups, unknown)]
    return after[:-1], after[-1]


def _grouped(fitted: Any, column: int, count: int) -> tuple[list[int], int]:
    """Returns the position of each category once the infrequent ones are merged, and the position of those."""
    mappings = getattr(fitted, "_default_to_infrequent_mappings", None) if _groups(fitted) else None
    mapping = mappings[column] if mappings else None
    if mapping is None:
        return list(range(count)), _NONE
    infrequent = int(mapping[fitted._infrequent_indices[column][0]])
    groups = [int(m) for m in mapping]
    # a missing category that the encoder does not group keeps its own code
    return groups + list(range(len(groups), count)), infrequent


def _groups(fitted: Any) -> bool:
    return bool(getattr(fitted, "_infrequent_enabled", False))


def _drop_position(fitted: Any, column: int) -> int | None:
    dropped = getattr(fitted, "_drop_idx_after_grouping", None)
    return None if dropped is None or dropped[column] is None else int(dropped[column])


def ordinal(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the position of each cell's category, or the numbers set for unknown and missing ones."""
    columns = graph.columns(frame)
    parts = [
        _through_table(column, categories, _ordinal_codes(fitted, i), graph)
        for i, (column, categories) in enumerate(zip(columns, fitted.categories_))
    ]
    return block(_beside(parts, graph), len(parts), graph)


def _ordinal_codes(fitted: Any, column: int) -> list[float]:
    """Returns the number of each category, then that of an unknown one."""
    categories = fitted.categories_[column]
    groups, _ = _grouped(fitted, column, len(categories))
    codes = [float(g) for g in groups]
    missing = getattr(fitted, "_missing_indices", {}).get(column)
    if missing is not None:
        codes = [_plain(fitted.encoded_missing_value) if g == missing else g for g in codes]
    return [*codes, _plain(fitted.unknown_value) if fitted.handle_unknown == "use_encoded_value" else float("nan")]


def _plain(number: Any) -> float:
    return float("nan") if is_missing(number) else float(number)


def target(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the encoding of each cell's category, the target's mean where unknown; one per class for multiclass."""
    import numpy as np

    columns = graph.columns(frame)
    classes = len(fitted.classes_) if fitted.target_type_ == "multiclass" else 1
    means = np.reshape(fitted.target_mean_, -1)
    parts = []
    for i, (column, categories) in enumerate(zip(columns, fitted.categories_)):
        table = np.array(fitted.encodings_[i * classes : (i + 1) * classes], float).T
        code = lookup(column, categories, range(len(categories)), len(categories), graph)
        parts.append(graph.op("GatherND", graph.const(np.vstack([table, means])), code))
    return block(_beside(parts, graph), classes * len(columns), graph)


def _through_table(column: Value, categories: Any, numbers: list[float], graph: GraphBuilder) -> str:
    code = lookup(column, categories, range(len(categories)), len(categories), graph)
    return graph.op("Gather", graph.const(numbers), code)


def _beside(parts: list[str], graph: GraphBuilder) -> str:
    return parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=1)


def _values(fitted: Any) -> list[list[Any]]:
    return [known_values(c) for c in fitted.categories_]


def _gives_sparse(fitted: Any, given: bool) -> bool:
    """Reads the option, which was called `sparse` before scikit-learn 1.2."""
    return bool(getattr(fitted, "sparse_output", getattr(fitted, "sparse", True)))


STEPS = {
    "OneHotEncoder": Step(one_hot, values=_values, sparse=_gives_sparse),
    "OrdinalEncoder": Step(ordinal, values=_values),
    "TargetEncoder": Step(target, values=_values),
}
