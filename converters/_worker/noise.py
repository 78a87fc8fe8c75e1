"""How far the original's answers are from the same answers computed otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ..spec import Axes, Table
from ..table import rows_of, take

if TYPE_CHECKING:
    import numpy as np

ROWS = 4
"""Most rows that are asked alone."""
Predict = Callable[[Table], Table]


def noise_of(
    predict: Predict, again: Callable[[Table], Iterable[Table]], rows: Table, axes: Axes | None
) -> dict[str, float]:
    """By output of floats, the largest difference of finite cells. `axes`: batch axes; None: rows cannot be cut.

    Compares the answers with those of `again`, and with the answers to single rows.
    """
    answers = predict(rows)
    found = {name: 0.0 for name, values in answers.items() if values.dtype.kind == "f"}
    for other in again(rows):
        _widen(found, answers, other)
    for part, alone in _alone(predict, answers, rows, axes):
        _widen(found, part, alone)
    return found


def _alone(predict: Predict, answers: Table, rows: Table, axes: Axes | None) -> Iterator[tuple[Table, Table]]:
    if axes is None:
        return
    for row in range(min(ROWS, rows_of(rows, axes))):
        yield take(answers, [row], axes), predict(take(rows, [row], axes))


def _widen(found: dict[str, float], answers: Table, others: Table) -> None:
    for name in found:
        if name in others and others[name].shape == answers[name].shape:
            found[name] = max(found[name], _distance(answers[name], others[name]))


def _distance(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """The largest over cells that are finite in both, in the type of the answers: where a module fills a mask with the
    least number of its type, the one of float64 is none in float32."""
    import numpy as np

    with np.errstate(over="ignore"):
        finite = np.isfinite(one) & np.isfinite(other.astype(one.dtype))
    return float(np.abs(one[finite].astype(np.float64) - other[finite].astype(np.float64)).max(initial=0.0))
