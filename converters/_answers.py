"""The original's answers to probes, with the rows that it refuses set apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ._table import rows_of, stack, take
from .spec import Table, Unsupported


@dataclass(frozen=True)
class Answers:
    """`outputs`: the rows that were answered, in order. `refused`: row to the original's own message."""

    outputs: Table
    refused: dict[int, str]


def ask(predict: Callable[[Table], Table], rows: Table, plain: int) -> Answers:
    """The answers to all rows: the first `plain` ones in one go, the rest halved around rows that raise."""
    refused: dict[int, str] = {}
    parts: list[Table] = []

    def visit(start: int, end: int) -> None:
        try:
            answered = predict(take(rows, slice(start, end)))
        except Exception as error:
            if end - start == 1:
                refused[start] = f"{type(error).__name__}: {error}"
                return
            middle = (start + end) // 2
            visit(start, middle)
            visit(middle, end)
        else:
            _require_a_line_per_row(answered, end - start)
            parts.append(answered)

    if plain:
        visit(0, plain)
    if plain < rows_of(rows):
        visit(plain, rows_of(rows))
    return Answers(stack(parts) if parts else {}, refused)


def _require_a_line_per_row(answers: Table, rows: int) -> None:
    """Raises `Unsupported` for an output whose first dimension is not the batch."""
    for name, values in answers.items():
        if values.ndim == 0 or len(values) != rows:
            raise Unsupported(
                f"the output {name!r} has the shape {list(values.shape)} for {rows} rows, not one line per row: "
                "give the graph outputs whose first dimension is the batch"
            )
