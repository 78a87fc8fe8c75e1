"""What is done with a model that scan and guard let through: by mlpack's worker, and by scikit-learn's own habits."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mlpack_toolkit.converters._worker.session import ModelSession
from mlpack_toolkit.converters.messages import Convert, Load, Probe
from mlpack_toolkit.converters.table import write_table

from .estimators import FRAME, TEXTS, X

SANDBOX: dict[str, Any] = {}
ROWS = X[:5]
INPUTS = (ROWS, FRAME.head(5), TEXTS[:5], ROWS[:, :1])
_METHODS = ("predict", "predict_proba", "decision_function", "transform", "score_samples", "inverse_transform")


def as_the_worker(request: Load, number: int) -> tuple[ModelSession, bool]:
    """The worker's commands; whether a graph was written. All of its probes are asked of every fourth model."""
    session = ModelSession()
    session.sandbox = SANDBOX
    session.load(request)
    names = [feature.name for feature in session.description.features] or list("abcd")
    table = {name: np.resize(ROWS[:, i % 4], 5) for i, name in enumerate(names)}
    if session.description.document:
        table = {names[0] if len(names) == 1 else "text": np.array(TEXTS[:5], object)}
    if number % 4:
        _quick(session, table)
        return session, False
    write_table(table, Path("example.npz"))
    session.probe(Probe("example.npz", ".", dict.fromkeys(table, "float64")))
    session.convert(Convert("float64", f"graph-{number}"))
    return session, True


def _quick(session: ModelSession, table: Any) -> None:
    from mlpack_toolkit.converters._worker.model_input import model_table, original_input
    from mlpack_toolkit.converters._worker.signature import inputs_of

    example = model_table(session.description, table)
    inputs = inputs_of(session.description, example, dict.fromkeys(table, "float64"))
    session.converter.original.predict(session.model, original_input(session.description, inputs, example))


def _asked(value: Any) -> None:
    for method in _METHODS:
        for x in INPUTS if hasattr(type(value), method) else ():
            try:
                getattr(value, method)(x)
            except Exception:
                continue


def _cloned(value: Any) -> None:
    from sklearn.base import clone

    clone(value, safe=False)


def _called(value: Any) -> None:
    """Functions and scorers are called as models call them."""
    if callable(value):
        value(ROWS)


def _cut(value: Any) -> None:
    """Parts of a model are handled as the model is."""
    parts = list(vars(value).values()) if hasattr(value, "__dict__") else value if isinstance(value, list) else []
    for part in parts[:8]:
        repr(part)
        _asked(part)


USES: tuple[Callable[[Any], Any], ...] = (
    *(repr, str, hash, len, bool, list, float, np.asarray, copy.copy, copy.deepcopy),
    _asked,
    _cloned,
    _called,
    _cut,
    lambda value: value == value,
    lambda value: value != copy.copy(value),
    lambda value: value.get_params(deep=True),
    lambda value: value.__sklearn_tags__(),
    lambda value: value._repr_html_(),
    lambda value: value.set_output(transform="pandas"),
    lambda value: value.get_feature_names_out(),
    lambda value: value.get_metadata_routing(),
    lambda value: value.__getattr__("x"),
    lambda value: value.__reduce_ex__(4),
    lambda value: value.classes_,
)
