"""The original's own answers."""

from __future__ import annotations

from typing import Any

from ..spec import Table
from ._describe import task_of


def predict(model: Any, x: Any) -> Table:
    """Arrays by output name: see the names of outputs in the README."""
    import numpy as np

    task = task_of(model)
    if task == "classifier":
        answer = _classify(model, x)
    elif task == "transformer":
        answer = {"transformed": _dense(model.transform(x))}
    elif task == "outlier":
        answer = {"label": model.predict(x), "decision_function": model.decision_function(x)}
    elif task == "clusterer":
        answer = _classify(model, x) if hasattr(model, "predict_proba") else {"label": model.predict(x)}
    else:
        answer = {"prediction": model.predict(x)}
    return {name: np.asarray(values) for name, values in answer.items()}


def _classify(model: Any, x: Any) -> dict[str, Any]:
    answer = {"label": model.predict(x)}
    if hasattr(model, "predict_proba"):
        answer["probabilities"] = model.predict_proba(x)
    elif hasattr(model, "decision_function"):
        answer["decision_function"] = model.decision_function(x)
    return answer


def _dense(transformed: Any) -> Any:
    return transformed.toarray() if hasattr(transformed, "toarray") else transformed
