"""Results as a table for people, or as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mlpack_toolkit.packager.environments.system import machine

Row = Mapping[str, Any]


def show(name: str, rows: Sequence[Row], as_json: bool) -> None:
    """Prints the rows, and the machine that they belong to."""
    facts = machine()
    if as_json:
        print(json.dumps({"benchmark": name, "rows": list(rows), "machine": facts}))
        return
    print(f"{name}: {facts['cpu']}, {facts['cores_usable']} cores, {facts['kernel']}\n")
    print(table(rows), end="")


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown; all have the columns of the first."""
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([_cell(row[c]) for c in columns] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return (
        f"{value:.3g}"
        if isinstance(value, float) and abs(value) < 1000
        else f"{value:,.0f}"
        if isinstance(value, float)
        else str(value)
    )
