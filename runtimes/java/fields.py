"""The columns of a Java project's row: their places in the graph, their rules, and their table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mlpack_toolkit.converters.spec import REALS, Scalar, Signature, TensorSpec, Unsupported

from .text import escape

RECORD_COLUMNS = 100
"""The most columns of a record: a constructor takes 255 slots, and a double takes two."""
RECORD_FEATURES = 20
"""The most columns of a matrix that becomes a record; a wider one stays a row of numbers."""

TYPES = {
    "float16": "float[]", "bfloat16": "float[]", "float32": "float[]", "float64": "double[]", "int8": "byte[]",
    "uint8": "int[]", "int16": "short[]", "int32": "int[]", "int64": "long[]", "bool": "boolean[]",
    "string": "String[]",
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A cell's Java type: plain, boxed, `Feed`'s method, `Tensor`'s methods for one and for a row."""

    java: str
    boxed: str
    put: str
    parse: str
    one: str
    many: str
    says: str


NUMBER = Kind("double", "Double", "number", "Double::valueOf", "number", "numbers", "a number")
WHOLE = Kind("long", "Long", "integer", "Long::valueOf", "integer", "integers", "a whole number")
TRUTH = Kind("boolean", "Boolean", "bool", "Boolean::valueOf", "bool", "booleans", "true or false")
TEXT = Kind("String", "String", "text", "String::valueOf", "text", "texts", "text")


def kind(dtype: str) -> Kind:
    """The Java type of such a cell; raises `Unsupported` for a type that ONNX Runtime's Java binding lacks."""
    if dtype not in TYPES:
        raise Unsupported(
            f"ONNX Runtime for Java has no tensors of {dtype}; cast it inside the graph,"
            " or build without the target java"
        )
    if dtype in ("string", "bool"):
        return TEXT if dtype == "string" else TRUTH
    return NUMBER if dtype in REALS else WHOLE


@dataclass(frozen=True)
class Column:
    """One column of a row (or one tensor). `rule`: its rule; `input`: the graph's name of its input."""

    name: str
    input: str
    offset: int
    width: int
    rule: TensorSpec


def has_rows(signature: Signature) -> bool:
    """Whether every input consists of columns of one batch of any size, and every output has one line per row."""
    batch = signature.inputs[0].shape[:1]
    inputs = all(
        len(t.shape) in (1, 2) and all(isinstance(d, int) and d > 0 for d in t.shape[1:]) for t in signature.inputs
    )
    if signature.ranges:
        return False
    tensors = (*signature.inputs, *signature.outputs)
    outputs = all(len(t.shape) in (1, 2) for t in signature.outputs)
    return inputs and outputs and isinstance(batch[:1] and batch[0], str) and all(t.shape[:1] == batch for t in tensors)


def columns(signature: Signature) -> tuple[Column, ...]:
    """Every column of a row, in the graph's order."""
    found = [c for t in signature.inputs for c in _columns(t)]
    seen: dict[str, int] = {}
    unique = []
    for column in found:
        seen[column.name] = seen.get(column.name, 0) + 1
        again = seen[column.name]
        unique.append(column if again == 1 else replace(column, name=f"{column.name} ({again})"))
    return tuple(unique)


def _columns(tensor: TensorSpec) -> Iterable[Column]:
    kind(tensor.dtype)
    width = tensor.width if len(tensor.shape) == 2 else 0
    rules = tensor.features or (tensor,) * tensor.width
    if len(rules) != tensor.width or len(tensor.columns or rules) != tensor.width:
        raise Unsupported(f"input {tensor.name!r} has {tensor.width} columns, and not as many rules or names")
    names = [_name(tensor, rule, place) for place, rule in enumerate(rules)]
    return [Column(n, escape(tensor.in_graph), i, width, r) for i, (n, r) in enumerate(zip(names, rules, strict=True))]


def _name(tensor: TensorSpec, rule: TensorSpec, place: int) -> str:
    if tensor.columns:
        return tensor.columns[place]
    if tensor.features and rule.name:
        return rule.name
    return tensor.name if tensor.width == 1 else f"{tensor.name}[{place}]"


def tensors(signature: Signature) -> tuple[Column, ...]:
    """Every input as one unit, for a graph without rows."""
    return tuple(Column(t.name, escape(t.in_graph), 0, 0, t) for t in signature.inputs)


def layout(signature: Signature, found: Sequence[Column]) -> str:
    """The form of a row: `record`, `array` (values of one type) or `table` (cells by name)."""
    matrix = len(signature.inputs) == 1 and len(found) > 1
    named = not matrix or bool(signature.inputs[0].columns or signature.inputs[0].features)
    if named and len(found) <= (RECORD_FEATURES if matrix else RECORD_COLUMNS):
        return "record"
    return "array" if matrix else "table"


def column_table(found: Sequence[Column], escaped: frozenset[str], signature: Signature) -> bytes:
    """`columns.tsv`: a line per column, in `Column.java`'s format."""
    dtypes = {escape(t.in_graph): t.dtype for t in signature.inputs}
    return table([_line(c, dtypes[c.input], c.input in escaped) for c in found])


def _line(column: Column, dtype: str, escaped: bool) -> list[str | None]:
    rule = column.rule
    missing = None if dtype != "string" else rule.missing if rule.missing is not None else "" if rule.nullable else None
    bounds = [_bound(b) for b in (rule.limit, rule.least, rule.most)]
    values = None if rule.values is None else [_value(v, dtype) for v in rule.values if v == v]
    return [
        column.name, column.input, str(column.offset), str(column.width), dtype.upper(),
        "escaped" if escaped else "plain", "nullable" if rule.nullable else "", missing, *bounds,
        *([None] if values is None else ["only", *values]),
    ]  # fmt: skip


def _bound(value: float | None) -> str:
    return "NaN" if value is None else repr(float(value)).replace("inf", "Infinity")


def _value(value: Scalar, dtype: str) -> str:
    if dtype == "string":
        return str(value)
    if dtype == "bool":
        return "true" if value else "false"
    return repr(float(value)).replace("inf", "Infinity") if dtype in REALS else str(int(value))


def table(lines: Iterable[Sequence[str | None]]) -> bytes:
    """Lines of tab-separated fields, in `Resource.java`'s format."""
    return "".join("\t".join(_field(f) for f in line) + "\n" for line in lines).encode()


def _field(text: str | None) -> str:
    if text is None:
        return "\\-"
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
