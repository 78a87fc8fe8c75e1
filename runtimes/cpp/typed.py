"""Template values of `templates/cpp/typed`: a row and a result with the model's own columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mlpack_toolkit.converters.spec import Signature, TensorSpec

from . import names as names
from .levels import Levels, enums
from .rules import RuleTable, column_rules, cpp_type, trait, type_name

WIDEST_STRUCT = 20
"""A matrix with more named columns becomes an array, as a struct of hundreds of members is unusable."""
WIDEST_ARRAY = 64
"""Wider outputs become vectors, as an answer should not need much stack."""
SHOWN = 12
"""The most column names in a comment."""


@dataclass(frozen=True)
class Member:
    """A member of `Row`. `width`: number of columns, of the input at `source`; `first`: index of their first rule;
    `levels`: those of an enum."""

    name: str
    type: str
    note: str
    source: int
    first: int
    width: int
    levels: Levels | None = None

    @property
    def declaration(self) -> str:
        missing = "std::numeric_limits<double>::quiet_NaN()"
        start = {"double": f" = {missing}", "std::int64_t": " = 0", "bool": " = false"}.get(self.type, "")
        start = "{}" if self.levels else start
        return (
            f"std::array<{self.type}, {self.width}> {self.name}{{}}"
            if self.width != 1
            else f"{self.type} {self.name}{start}"
        )


@dataclass(frozen=True)
class Output:
    """A member of `Result`."""

    name: str
    literal: str
    declaration: str
    note: str
    scalar: bool


def is_tabular(signature: Signature) -> bool:
    """Whether every input and output has one row per row of the batch: `[N]` or `[N, width]`."""
    known = all(len(t.shape) <= 2 and all(isinstance(d, int) and d > 0 for d in t.shape[1:]) for t in signature.inputs)
    batched = all(t.shape and isinstance(t.shape[0], str) for t in (*signature.inputs, *signature.outputs))
    same = len({t.shape[0] for t in (*signature.inputs, *signature.outputs) if t.shape}) == 1
    flat = all(len(t.shape) <= 2 for t in signature.outputs)
    return bool(signature.inputs) and known and batched and same and flat


def typed_values(signature: Signature, package: str) -> dict[str, Any]:
    """The values for the templates of a tabular model. Raises `Unsupported` for an unknown element type."""
    columns = [column_rules(spec) for spec in signature.inputs]
    flat = [column for group in columns for column in group]
    table = RuleTable()
    for column in flat:
        table.add(column)
    levels = enums(flat, package)
    members = [_typed_by(m, levels.get(m.first)) for m in _members(signature, columns)]
    as_array = len(members) == 1 and members[0].width != 1
    return {
        "inputs": [{"type": type_name(spec), "dims": _dims(spec)} for spec in signature.inputs],
        "input_names": ", ".join(names.literal(spec.name) for spec in signature.inputs),
        "graph_names": ", ".join(names.literal(spec.in_graph) for spec in signature.inputs),
        "input_list": [spec.name for spec in signature.inputs],
        "output_names": ", ".join(names.literal(spec.name) for spec in signature.outputs),
        "members": members,
        "enums": list(levels.values()),
        "row_is_array": as_array,
        "row_note": members[0].note,
        "by_name": len({column.name for column in flat}) == len(flat),
        "column_names": [column.name for column in flat],
        "rules": table.rules,
        "value_lines": table.value_lines,
        "traits": [trait(column) for column in flat],
        "put_lines": [_put_line(m, as_array) for m in members],
        "take_lines": [_take_line(m, as_array) for m in members],
        "outputs": _outputs(signature),
        **_classes(signature),
    }


def _dims(spec: TensorSpec) -> str:
    return ", ".join(["n", *(str(d) for d in spec.shape[1:])])


def _members(signature: Signature, columns: list[list[TensorSpec]]) -> list[Member]:
    """One member per column; a wide or unnamed matrix is a single member."""
    wanted: list[tuple[int, list[TensorSpec], int]] = []
    first = 0
    for source, group in enumerate(columns):
        spec = signature.inputs[source]
        named = spec.width == 1 or (len(group) <= WIDEST_STRUCT and bool(spec.columns or spec.features))
        parts = [[column] for column in group] if named else [group]
        for part in parts:
            wanted.append((source, part, first))
            first += len(part)
    texts = [part[0].name if len(part) == 1 else signature.inputs[source].name for source, part, _ in wanted]
    identifiers = names.unique_names(texts, "column")
    return [
        _member(name, signature.inputs[s], s, part, at) for name, (s, part, at) in zip(identifiers, wanted, strict=True)
    ]


def _member(name: str, spec: TensorSpec, source: int, part: list[TensorSpec], first: int) -> Member:
    nullable = any(column.nullable for column in part)
    kind = cpp_type(spec, nullable)
    what = names.literal(part[0].name) if len(part) == 1 else f"{len(part)} columns of {names.literal(spec.name)}"
    missing = {
        "double": "; NaN where it is missing",
        "std::optional<std::string>": "; std::nullopt where it is missing",
    }
    upto = _bounds(part[0]) if len(part) == 1 else ""
    return Member(name, kind, what + (missing.get(kind, "") if nullable else "") + upto, source, first, len(part))


def _typed_by(member: Member, levels: Levels | None) -> Member:
    """The member, with the enum type where its column is one."""
    if levels is None:
        return member
    kind = f"std::optional<{levels.type}>" if "optional" in member.type else levels.type
    return replace(member, type=kind, levels=levels)


def _bounds(column: TensorSpec) -> str:
    """The bounds of a column for a comment."""
    limit, least, most = column.limit, column.least, column.most
    said = f"; magnitudes up to {limit:.8g}" if limit is not None else ""
    said += f"; no number below {least!r}" if least is not None else ""
    return said + (f"; no number above {most!r}" if most is not None else "")


def _put_line(member: Member, as_array: bool) -> str:
    place = "row" if as_array else f"row.{member.name}"
    if member.width == 1:
        return f"detail::put(inputs[{member.source}], rules[{member.first}], index, {place});"
    rule = f"rules[{member.first} + i]" if member.first else "rules[i]"
    loop = f"for (std::size_t i = 0; i != {member.width}; ++i) "
    return f"{loop}detail::put(inputs[{member.source}], {rule}, index, {place}[i]);"


def _take_line(member: Member, as_array: bool) -> str:
    place = "row" if as_array else f"row.{member.name}"
    if member.width == 1:
        return f"detail::take(values[{member.first}], rules[{member.first}], {place});"
    at = f"{member.first} + i" if member.first else "i"
    return f"for (std::size_t i = 0; i != {member.width}; ++i) detail::take(values[{at}], rules[{at}], {place}[i]);"


def _outputs(signature: Signature) -> list[Output]:
    identifiers = names.unique_names([spec.name for spec in signature.outputs], "output")
    return [_output(name, spec, signature) for name, spec in zip(identifiers, signature.outputs, strict=True)]


def _output(name: str, spec: TensorSpec, signature: Signature) -> Output:
    type_name(spec)
    kind, scalar = cpp_type(spec), len(spec.shape) == 1
    width = 1 if scalar else spec.shape[1]
    fixed = isinstance(width, int) and 0 < width <= WIDEST_ARRAY
    start = {"double": " = 0", "std::int64_t": " = 0", "bool": " = false"}.get(kind, "{}")
    plural = f"std::array<{kind}, {width}> {name}{{}}" if fixed else f"std::vector<{kind}> {name}{{}}"
    ordered = (
        ", in the order of classes()" if signature.classes and width == len(signature.classes) and not scalar else ""
    )
    if spec.columns and not ordered and not scalar:
        more = ", ..." if len(spec.columns) > SHOWN else ""
        ordered = ", in the order " + ", ".join(map(names.literal, spec.columns[:SHOWN])) + more
    note = names.literal(spec.name) + ordered
    return Output(name, names.literal(spec.name), f"{kind} {name}{start}" if scalar else plural, note, scalar)


def _classes(signature: Signature) -> dict[str, Any]:
    """The labels as literals of the type of the output `label`."""
    label = next((spec for spec in signature.outputs if spec.name == "label"), None)
    kind = cpp_type(label) if label else _type_of(signature.classes)
    wide = next(
        (s.name for s in signature.outputs if len(s.shape) == 2 and s.shape[1] == len(signature.classes)), "label"
    )
    literals = [names.scalar(value, kind) for value in signature.classes]
    return {"classes": literals, "classes_type": kind, "classes_of": wide}


def _type_of(values: tuple[Any, ...]) -> str:
    if any(isinstance(v, str) for v in values):
        return "std::string"
    if all(isinstance(v, bool) for v in values):
        return "bool"
    return "std::int64_t" if all(isinstance(v, int) for v in values) else "double"
