"""Writes a README's C++ example: the model's own columns with the values of a golden case."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from . import names as names
from .typed import Member

SHOWN = 4
"""The most columns in a README's example."""


def typed_usage(values: Mapping[str, Any], golden: Mapping[str, bytes]) -> list[str]:
    """The lines that run a tabular model on one row."""
    package, klass = values["package"], values["klass"]
    cells = first_row(golden, values["input_list"])
    members: list[Member] = values["members"]
    lines = [
        f"#include <{package}/{package}.hpp>",
        "",
        f"const {package}::{klass} model({package}::default_model_path());",
    ]
    lines += [f"{package}::Row row{{}};"]
    if values["row_is_array"]:
        lines += [f"row[{i}] = {_cell(cells, i, members[0].type)};" for i in range(min(SHOWN, members[0].width))]
    else:
        singles = [m for m in members if m.width == 1][:SHOWN]
        lines += [f"row.{m.name} = {_member_cell(cells, m, package)};" for m in singles]
    rest = len(values["column_names"]) - SHOWN
    lines += [f"// ... and {rest} more"] if rest > 0 else []
    lines += [
        f"const {package}::Result answer = model.predict(row);  // .{', .'.join(o.name for o in values['outputs'])}"
    ]
    return lines


def first_row(golden: Mapping[str, bytes], inputs: Sequence[str]) -> list[Any]:
    """The cells of the first answered row, over all inputs in order; empty where there is none."""
    for name in sorted(n for n in golden if n.endswith(".request.json")):
        response = json.loads(golden.get(name.replace(".request.", ".response."), b'{"error": ""}'))
        tensors = {tensor["name"]: tensor for tensor in json.loads(golden[name])["inputs"]}
        there = all(tensors.get(i, {}).get("data") and tensors[i]["shape"][0] > 0 for i in inputs)
        if "error" not in response and there:
            return [cell for i in inputs for cell in _row_of(tensors[i])]
    return []


def _row_of(tensor: Mapping[str, Any]) -> list[Any]:
    return list(tensor["data"][: len(tensor["data"]) // tensor["shape"][0]])


def _member_cell(cells: list[Any], member: Member, package: str) -> str:
    """The golden row's value for a member, as an enumerator where its column is an enum."""
    given = cells[member.first] if member.first < len(cells) else None
    if member.levels is None or (given is None and "optional" in member.type):
        return _cell(cells, member.first, member.type if member.levels is None else "std::optional<std::string>")
    return member.levels.value(given, package)


def _cell(cells: list[Any], position: int, kind: str) -> str:
    """The golden row's value as a literal, or a default one of that type."""
    cell = cells[position] if position < len(cells) else None
    if "string" in kind:
        return names.text_literal(cell) if isinstance(cell, str) else "std::nullopt" if "optional" in kind else '""'
    if kind == "double":
        return names.number(float(cell)) if isinstance(cell, (int, float, str)) else names.number(float("nan"))
    return names.scalar(cell if isinstance(cell, (int, float)) else 0, kind)
