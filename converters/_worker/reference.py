"""Asks the original for its answers to probes, and separates the rows that it rejects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..spec import Table, Unsupported
from ..table import rows_of, stack, take

TOGETHER = 64
"""The most rows of one kind in a batch of their own."""


@dataclass(frozen=True)
class Answers:
    """`outputs`: of the answered rows, in order. `refused`: row to the original's message."""

    outputs: Table
    refused: dict[int, str]


@dataclass(frozen=True)
class Batches:
    """Answers to rows in batches of their own: `rows` of each batch, and the outputs of all, in that order."""

    rows: list[list[int]]
    outputs: Table


def ask(predict: Callable[[Table], Table], rows: Table, plain: int, known: Table | None = None) -> Answers:
    """The answers to all rows: the first `plain` ones in one batch, the rest in batches halved around rows that raise.

    The answered ones of the rest are then asked in one batch too: an answer may depend on the other rows.
    `known`: answers to the first rows, which are not asked again.
    """
    refused: dict[int, str] = {}
    parts: list[Table] = [known] if known else []
    begin = rows_of(known or {})

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
            check_rows(answered, end - start)
            parts.append(answered)

    count = rows_of(rows)
    if begin < plain:
        visit(begin, plain)
    before = len(parts)
    if plain < count:
        visit(plain, count)
    if len(parts) > before + 1:
        parts[before:] = _in_one_go(predict, rows, [i for i in range(plain, count) if i not in refused], parts[before:])
    return Answers(stack(parts) if parts else {}, refused)


def _in_one_go(
    predict: Callable[[Table], Table], rows: Table, chosen: Sequence[int], parts: list[Table]
) -> list[Table]:
    """The answers in one batch; the parts where the original fails on it."""
    try:
        return [predict(take(rows, list(chosen)))]
    except Exception:  # some fail on a batch though they answer each of its rows
        return parts


def ask_by_kind(
    predict: Callable[[Table], Table],
    rows: Table,
    groups: Sequence[Any],
    refused: set[int],
    strange: Callable[[Any], bool],
) -> Batches:
    """Answers to one row of each group alone, and to some rows of each strange group as a batch.

    `groups`: the group of each row. Raises `Unsupported` where the original rejects a row alone that it answers in a
    batch.
    """
    batches: list[list[int]] = []
    members: dict[Any, list[int]] = {}
    for i, group in enumerate(groups):
        if i not in refused:
            members.setdefault(group, []).append(i)
    parts: list[Table] = []
    for group, mine in members.items():
        wanted = [[mine[len(mine) // 2]]]
        if strange(group) and len(mine) > 1:
            wanted.append(mine[:: max(1, len(mine) // TOGETHER)][:TOGETHER])
        for batch in wanted:
            answer = _asked(predict, rows, batch)
            if answer is not None:
                batches.append(batch)
                parts.append(answer)
    return Batches(batches, stack(parts) if parts else {})


def _asked(predict: Callable[[Table], Table], rows: Table, batch: list[int]) -> Table | None:
    """The answers; None where the original fails on a batch of several rows, which is allowed."""
    try:
        return predict(take(rows, batch))
    except Exception as error:
        if len(batch) > 1:
            return None
        cells = {name: values[batch[0]] for name, values in rows.items()}
        raise Unsupported(
            f"the original answers a row in a batch and rejects it alone ({type(error).__name__}: {error}): "
            f"{str(cells)[:400]}"
        ) from error


def check_rows(answers: Table, rows: int) -> None:
    """Raises `Unsupported` unless each output has one entry for each row."""
    for name, values in answers.items():
        if values.shape[:1] != (rows,):
            raise Unsupported(
                f"the output {name!r} has the shape {list(values.shape)} for {rows} rows: each output must have one "
                "entry for each row of the example, on its first axis"
            )
