"""The original's own predictions."""

from __future__ import annotations

from typing import Any

from ..spec import Table
from ._describe import gives_decision, gives_probabilities, task_of


def predict(model: Any, x: Any) -> Table:
    """Returns arrays by output name: see the names of outputs in the README."""
    import numpy as np

    if _rows(x) == 1 and _flattens_one_row(model):
        return {name: values[:1] for name, values in predict(model, _twice(x)).items()}
    _refuse_spoiling_rows(model, x)
    task = task_of(model)
    if task == "classifier":
        answer = _classify(model, x)
    elif task == "transformer":
        answer = {"transformed": _dense(model.transform(x))}
    elif task == "density":
        answer = {"score_samples": model.score_samples(x)}
    elif task == "outlier":
        answer = {"label": model.predict(x), "decision_function": model.decision_function(x)}
    elif task == "clusterer":
        answer = _classify(model, x) if gives_probabilities(model) else {"label": model.predict(x)}
    else:
        answer = {"prediction": model.predict(x)}
    return {name: np.asarray(values) for name, values in answer.items()}


def _classify(model: Any, x: Any) -> dict[str, Any]:
    answer = {"label": _dense(model.predict(x))}
    if gives_probabilities(model):
        answer |= _probabilities(model.predict_proba(x))
    elif gives_decision(model):
        answer["decision_function"] = model.decision_function(x)
    return answer


def _probabilities(found: Any) -> dict[str, Any]:
    """Returns one matrix, or one per target."""
    if isinstance(found, list):
        return {f"probabilities_{i}": each for i, each in enumerate(found)}
    return {"probabilities": found}


def quick(model: Any, x: Any) -> object:
    """Makes the cheapest call that determines all outputs: labels are the largest of the probabilities."""
    rows = _twice(x) if _rows(x) == 1 and _flattens_one_row(model) else x
    if task_of(model) == "classifier" and gives_probabilities(model):
        return model.predict_proba(rows)
    return predict(model, rows)


def _dense(transformed: Any) -> Any:
    return transformed.toarray() if hasattr(transformed, "toarray") else transformed


def _flattens_one_row(model: Any) -> bool:
    """Returns whether it has sparse components, which return a single row as a vector that no later step accepts."""
    parts = [part for _, part in getattr(model, "steps", ())]
    return type(model).__name__ in ("SparsePCA", "MiniBatchSparsePCA") or any(map(_flattens_one_row, parts))


def _rows(x: Any) -> int:
    return int(x.shape[0]) if hasattr(x, "shape") else len(x)


def _twice(x: Any) -> Any:
    import numpy as np

    if hasattr(x, "tocsr"):
        return x[[0, 0]]
    return x.iloc[[0, 0]] if hasattr(x, "iloc") else np.concatenate([x, x])


def _refuse_spoiling_rows(model: Any, x: Any) -> None:
    """Raises where the original accepts a row that spoils the predictions for the other rows."""
    import numpy as np

    kind = type(model).__name__
    if kind == "LabelBinarizer" and len(model.classes_) <= 2:
        strange = [y for y in np.asarray(_dense(x)).ravel().tolist() if y not in model.classes_.tolist()]
        if strange:  # all rows would get another column
            raise ValueError(f"LabelBinarizer of {model.classes_.tolist()} does not know {strange[0]!r}")
    if kind == "MiniBatchNMF" and (np.asarray(_dense(x)) < 0).any():
        # it starts from the root of the batch's mean, and raises only where that is negative
        raise ValueError("MiniBatchNMF received a negative number")
