"""Writes a signature's rules as C++ tables, one line per column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlpack_toolkit.converters.spec import INTEGERS, REALS, Dim, Scalar, TensorSpec, Unsupported

from . import names as names

TYPES = {"bool": "boolean", "string": "text", **{t: t for t in (*INTEGERS, *REALS)}}
"""Element type of a tensor to the name of its `detail::Type`."""


def type_name(spec: TensorSpec) -> str:
    """The name of `detail::Type` for the tensor's elements. Raises `Unsupported`."""
    if spec.dtype not in TYPES:
        raise Unsupported(
            f"{spec.name!r} has element type {spec.dtype}; the C++ runtime supports {', '.join(sorted(TYPES))}"
        )
    return TYPES[spec.dtype]


def cpp_type(spec: TensorSpec, nullable: bool = False) -> str:
    """The type of one value in the typed interface."""
    if spec.is_text:
        return "std::optional<std::string>" if nullable else "std::string"
    if spec.dtype == "bool":
        return "bool"
    return "double" if spec.dtype in REALS else "std::int64_t"


def element(dtype: str, package: str) -> str:
    """The type of one element of a tensor."""
    own = {"float16": f"{package}::Float16", "bfloat16": f"{package}::BFloat16"}
    plain = {"float32": "float", "float64": "double", "bool": "bool", "string": "std::string", **own}
    return plain.get(dtype, f"std::{dtype}_t")


def size_text(dim: Dim) -> str:
    """A dimension in the code; a name of digits only gets a dash, as it would read as a number."""
    return f"{dim}_" if isinstance(dim, str) and dim.isdigit() else str(dim)


def column_rules(spec: TensorSpec) -> list[TensorSpec]:
    """One tensor per column of an input, with its own rule or the input's, named for messages."""
    if spec.width == 1 and not spec.features:
        return [spec]
    given = spec.features or (spec,) * spec.width
    if len(given) != spec.width or (spec.columns and len(spec.columns) != spec.width):
        raise Unsupported(
            f"{spec.name!r} has {spec.width} columns, but rules for {len(given)} and names for {len(spec.columns)}"
        )
    return [_column(spec, rule, i) for i, rule in enumerate(given)]


def _column(spec: TensorSpec, rule: TensorSpec, position: int) -> TensorSpec:
    named = spec.columns[position] if spec.columns else rule.name if spec.features else ""
    name = named or f"{spec.name}[{position}]"
    found = replace(rule, name=name, dtype=spec.dtype, shape=("N", 1))
    return found.with_cells(nullable=rule.nullable, columns=(), frame_dtype="", features=())


class RuleTable:
    """C++ lines for the rules of columns; writes equal value sets once."""

    def __init__(self) -> None:
        self.rules: list[str] = []
        self.value_lines: list[str] = []
        self._values: dict[tuple[str, tuple[Scalar, ...]], str] = {}

    def add(self, column: TensorSpec) -> None:
        """Appends the rule of one column."""
        nullable = column.nullable and (column.dtype in REALS or column.is_text)
        values = "nullptr" if column.values is None else f"&{self._set(column, column.values)}"
        self.rules.append(
            f"{{{names.literal(column.name)}, Type::{type_name(column)}, {str(nullable).lower()}, "
            f"{names.literal(column.missing or '')}, {_bounds(column)}, {values}}}"
        )

    def _set(self, column: TensorSpec, values: tuple[Scalar, ...]) -> str:
        key = (cpp_type(column), values)
        if key not in self._values:
            self._values[key] = f"values_{len(self._values)}"
            self.value_lines += _set_lines(self._values[key], cpp_type(column), values)
        return self._values[key]


def _set_lines(name: str, kind: str, values: Sequence[Scalar]) -> list[str]:
    """A list of values and the `Values` that points to it."""
    slot, element = {"std::string": (0, "char* const"), "double": (1, "double")}.get(kind, (2, "std::int64_t"))
    literal_of = {
        0: lambda v: names.literal(str(v)),
        1: lambda v: names.number(float(v)),
        2: lambda v: names.integer(int(v)),
    }
    items = [literal_of[slot](v) for v in values if _can_come_in(v)]
    pointers = ["nullptr"] * 3
    if not items:
        return [f"const detail::Values {name}{{nullptr, nullptr, nullptr, 0}};"]
    pointers[slot] = f"{name}_list"
    return [
        f"const {element} {name}_list[] = {{{', '.join(items)}}};",
        f"const detail::Values {name}{{{', '.join(pointers)}, {len(items)}}};",
    ]


def _can_come_in(value: Scalar) -> bool:
    """Whether the typed interface can represent the value: no U+0000, no integer beyond signed 64 bits."""
    if isinstance(value, str):
        return "\0" not in value
    return isinstance(value, float) or -(2**63) <= value < 2**63


def trait(column: TensorSpec) -> str:
    """The line of `tests/columns.hpp` for a column."""
    kind = {"std::string": "s", "bool": "b", "double": "f"}.get(cpp_type(column), "i")
    nullable = column.nullable and kind in "fs"
    closed = str(column.values is not None).lower()
    return f"{{'{kind}', {str(nullable).lower()}, {names.literal(column.missing or '')}, {_bounds(column)}, {closed}}}"


def _bounds(column: TensorSpec) -> str:
    """`limit`, `least` and `most`."""
    bounds = (column.limit, column.least, column.most)
    return ", ".join("none" if b is None else names.number(b) for b in bounds)
