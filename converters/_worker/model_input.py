"""Converts a table to the original's input: a data frame with its dtypes, a matrix, or a list of texts."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..spec import REALS, Description, Feature, Table, TensorSpec, Unreadable
from ..table import rows_of
from .signature import MATRIX_INPUT

if TYPE_CHECKING:
    import numpy as np


def with_own_names(description: Description, columns: Collection[str]) -> Description:
    """The description with the example's column names, where the framework changes them (lightgbm: `_` for spaces)."""
    if not description.named:
        return description
    own = {name.replace(" ", "_"): name for name in columns}
    features = tuple(f if f.name in columns else replace(f, name=own.get(f.name, f.name)) for f in description.features)
    return replace(description, features=features)


def in_floats(inputs: Iterable[TensorSpec], table: Table) -> Table:
    """The tensors, whole numbers as floats where the model takes floats: probes put NaN and fractions among them."""
    floats = {t.name: t.in_numpy for t in inputs if t.dtype in REALS}
    whole = {name for name, values in table.items() if values.dtype.kind in "iub"}
    return {n: v.astype(floats[n]) if n in whole and n in floats else v for n, v in table.items()}


def model_table(description: Description, table: Table) -> Table:
    """The model's columns by the names of its inputs; raises `Unreadable`."""
    if description.inputs:
        return model_tensors(description.inputs, table)
    lengths = {name: len(column) if column.ndim else 0 for name, column in table.items()}
    if len(set(lengths.values())) > 1 or not all(column.ndim for column in table.values()):
        said = ", ".join(f"{name!r} has {count}" for name, count in list(lengths.items())[:20])
        raise Unreadable(f"the example has columns of different lengths: {said}")
    if description.document:
        return {"text": _text_column(table)}
    if not description.named:
        return {MATRIX_INPUT: _matrix(table, len(description.features))}
    names = [f.name for f in description.features]
    alone = next(iter(table.values())) if len(table) == 1 else None
    if alone is not None and alone.ndim == 2 and alone.shape[1] == len(names):
        table = {name: alone[:, i] for i, name in enumerate(names)}
    absent = [n for n in names if n not in table]
    if absent:
        lacked = f"the column {absent[0]!r}" if len(absent) == 1 else f"the columns {', '.join(map(repr, absent[:8]))}"
        more = f" and {len(absent) - 8} more" if len(absent) > 8 else ""
        raise Unreadable(f"the example lacks {lacked}{more}; it has: {', '.join(table)}")
    return {f.name: _typed(f, _single(f.name, table[f.name])) for f in description.features}


def model_tensors(inputs: tuple[TensorSpec, ...], table: Table) -> Table:
    """The graph's inputs by its own names; each symbolic dimension has one size. Raises `Unreadable`."""
    if len(inputs) == len(table) == 1:
        table = {inputs[0].name: next(iter(table.values()))}
    absent = [t.name for t in inputs if t.name not in table]
    if absent:
        raise Unreadable(f"the example lacks the input {absent[0]!r}; it has: {', '.join(table)}")
    found = {t.name: t.as_written(t.as_read(table[t.name])) for t in inputs}
    sizes: dict[str, int] = {}
    for spec in inputs:
        shape = found[spec.name].shape
        agree = all(
            size == (d if isinstance(d, int) else sizes.setdefault(d, size)) for d, size in zip(spec.shape, shape)
        )
        if len(shape) != len(spec.shape) or not agree:
            raise Unreadable(
                f"the example's {spec.name!r} has the shape {list(shape)}, the graph takes {list(spec.shape)}; "
                "a named dimension has one size in all inputs"
            )
    return found


def _single(name: str, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """One column, `[n]`, also where a request has it as `[n, 1]`."""
    if values.ndim != 1 and values.shape != (len(values), 1):
        raise Unreadable(f"the column {name!r} of the example has the shape {list(values.shape)}: give one cell a row")
    return values.reshape(-1)


def _typed(feature: Feature, column: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The column in the model's type for it."""
    import numpy as np

    text = column.dtype.kind in "OU"
    if not feature.dtype or (text and feature.dtype == "string"):
        return column
    if text:
        raise Unreadable(f"the column {feature.name!r} holds text, the model takes {_WORDS[feature.dtype]} there")
    if feature.dtype == "string":
        return cells_of_levels(column)
    if feature.dtype == "bool" and not np.isin(column, (0, 1)).all():
        raise Unreadable(f"the column {feature.name!r} must hold true or false")
    return column.astype(feature.dtype)


def cells_of_levels(column: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Numbers and booleans as R's factor levels: `1`, `1.5`, `TRUE`; NaN is missing."""
    import numpy as np

    if column.dtype.kind == "b":
        return np.where(column, "TRUE", "FALSE").astype(object)
    cells = [None if v != v else str(int(v)) if float(v).is_integer() else f"{v:.15g}" for v in column.tolist()]
    return np.array(cells, object)


_WORDS = {"bool": "true or false", "float64": "numbers"}


def _text_column(table: Table) -> np.ndarray[Any, Any]:
    texts = {name: column for name, column in table.items() if column.dtype.kind in "OU"}
    if len(texts) == 1 or "text" in texts:
        return texts.get("text", next(iter(texts.values()))).ravel()
    raise Unreadable(f"the model takes one text; the example has {len(texts)} text columns: call one of them 'text'")


def _matrix(table: Table, width: int) -> np.ndarray[Any, Any]:
    """The table's columns side by side, in their order."""
    import numpy as np

    bad = [name for name, column in table.items() if column.dtype.kind in "OU"]
    if bad:
        raise Unreadable(f"the model was fitted on a matrix of numbers; the column {bad[0]!r} of the example is text")
    columns = [column.reshape(len(column), -1) for column in table.values()]
    matrix = np.concatenate(columns, axis=1)
    if matrix.shape[1] != width:
        raise Unreadable(f"the model takes {width} columns, the example has {matrix.shape[1]}")
    return matrix


def original_input(description: Description, inputs: tuple[TensorSpec, ...], table: Table) -> Any:
    """The `x` of `Original.predict`, made from the columns of `table`."""
    if description.inputs or description.columnar or description.tensors:
        return table
    if description.document:
        return ["" if text is None else text for text in table["text"].ravel()]
    if description.sparse:
        return _sparse(description, table)
    if not description.named:
        return table[MATRIX_INPUT]
    import pandas as pd

    specs = {t.name: t for t in inputs}
    columns = {
        f.name: _series(f, specs[f.name], table[f.name]) if f.name in specs and f.name in table else _unread(f, table)
        for f in description.features
    }
    frame = pd.DataFrame(columns)
    return _records(frame) if description.records else frame


def _sparse(description: Description, table: Table) -> Any:
    """The matrix in compressed rows, without zeros."""
    import numpy as np
    from scipy.sparse import csr_matrix

    whole = [table[f.name] for f in description.features] if description.named else [table["X"]]
    return csr_matrix(np.column_stack(whole))


def _unread(feature: Feature, table: Table) -> Any:
    """A column that the graph does not read and the request does not have: any value will do."""
    import pandas as pd

    text = feature.kind in ("text", "category", "factor")
    values = [next(iter(feature.values), "" if text else 0.0)] * rows_of(table)
    if feature.kind == "category":
        return pd.Series(pd.Categorical(values, categories=list(feature.values) or None))
    return pd.Series(values, dtype=object if text else None)


def _records(frame: Any) -> list[dict[str, Any]]:
    """The rows as dictionaries, without missing cells."""
    import pandas as pd

    return [{key: cell for key, cell in row.items() if not pd.isna(cell)} for row in frame.to_dict("records")]


def _series(feature: Feature, spec: TensorSpec, column: np.ndarray[Any, Any]) -> Any:
    import numpy as np
    import pandas as pd

    values: Any = column
    if spec.is_truth:
        return _truths(feature, spec, column)
    if spec.is_text:
        gone = None if feature.missing == "none" else np.nan
        values = np.array([gone if cell is None else cell for cell in column], object)
    if spec.frame_dtype == "category":
        return pd.Series(pd.Categorical(values, categories=_categories(feature, values)))
    series = pd.Series(values, dtype=object if spec.is_text else None)
    return _extended(series, spec.frame_dtype) if spec.frame_dtype else series


def _truths(feature: Feature, spec: TensorSpec, column: np.ndarray[Any, Any]) -> Any:
    """True, false and missing cells in the original's form: objects, a category, or pandas' own dtype."""
    import pandas as pd

    if spec.frame_dtype == "boolean":
        return pd.Series(column).astype("boolean")
    gone = None if feature.missing == "none" else float("nan")
    cells = pd.Series([gone if v != v else bool(v) for v in column.tolist()], dtype=object)
    if spec.frame_dtype == "bool object":
        return cells
    known = [bool(v) for v in feature.values if v in (0, 1)]
    return pd.Series(pd.Categorical(cells, categories=known if len(known) == 2 else [False, True]))


def _extended(series: Any, frame_dtype: str) -> Any:
    """The series in a pandas dtype; numbers that a nullable integer cannot hold make it a nullable float."""
    try:
        return series.astype(frame_dtype)
    except (TypeError, ValueError, OverflowError):
        if series.dtype.kind != "f":
            raise
        return series.astype("Float64")


def _categories(feature: Feature, values: Any) -> list[Any]:
    """The categories of the fit in their order, then those that are only in this batch."""
    import pandas as pd

    known = list(feature.values)
    return known + sorted({v for v in values if not pd.isna(v)} - set(known))
