"""The table as the original wants it: a data frame with its own dtypes, a matrix, or a list of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .spec import Description, Feature, Signature, Table, TensorSpec

if TYPE_CHECKING:
    import numpy as np


def original_input(description: Description, inputs: tuple[TensorSpec, ...], table: Table) -> Any:
    """What `Converter.predict` takes, from the columns of `table`."""
    if description.document:
        return ["" if text is None else text for text in table["text"].ravel()]
    if not description.named:
        return table["X"]
    import pandas as pd

    features = {f.name: f for f in description.features}
    return pd.DataFrame({t.name: _series(features[t.name], t, table[t.name]) for t in inputs})


def _series(feature: Feature, spec: TensorSpec, column: np.ndarray[Any, Any]) -> Any:
    import numpy as np
    import pandas as pd

    values: Any = column
    if spec.is_text:
        gone = None if feature.missing == "none" else np.nan
        values = np.array([gone if cell is None else cell for cell in column], object)
    if spec.frame_dtype == "category":
        return pd.Series(pd.Categorical(values, categories=_categories(feature, values)))
    series = pd.Series(values, dtype=object if spec.is_text else None)
    return series.astype(spec.frame_dtype) if spec.frame_dtype else series


def _categories(feature: Feature, values: Any) -> list[Any]:
    """The categories of the fit in their order, then those that only this batch has."""
    import pandas as pd

    known = list(feature.values)
    return known + sorted({v for v in values if not pd.isna(v)} - set(known))


def graph_feeds(signature: Signature, table: Table) -> dict[str, Any]:
    """What an ONNX Runtime session takes, from the columns of `table`: each in its input's type and shape."""
    return {spec.name: _feed(spec, table[spec.name]) for spec in signature.inputs}


def _feed(spec: TensorSpec, column: np.ndarray[Any, Any]) -> Any:
    import numpy as np

    rows = len(column)
    if spec.is_text:
        cells = [spec.missing if cell is None else cell for cell in column.ravel()]
        return np.array(cells, object).reshape(rows, spec.width)
    return np.ascontiguousarray(column.astype(spec.dtype)).reshape(rows, *(int(d) for d in spec.shape[1:]))
