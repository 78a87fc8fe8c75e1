"""Template values of a Java project: fields of a row, parts of an answer, the README's example."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from mlpack_toolkit.converters.spec import Range, Scalar, Signature, TensorSpec

from .fields import NUMBER, TEXT, TRUTH, TYPES, WHOLE, Column, kind, table
from .levels import Levels
from .names import identifiers, javadoc, literal
from .text import escape

Words = dict[str, Any]
SHOWN = 12


def fields(columns: Sequence[Column], signature: Signature, enums: Mapping[int, Levels] | None = None) -> list[Words]:
    """One entry per column of a row: its identifier, its Java type, its comment. `enums`: by position."""
    dtypes = {escape(t.in_graph): t.dtype for t in signature.inputs}
    names = identifiers(c.name for c in columns)
    found = [_field(c, name, dtypes[c.input]) for c, name in zip(columns, names, strict=True)]
    return [f | (_enum(f, enums[i]) if enums and i in enums else {}) for i, f in enumerate(found)]


def _field(column: Column, name: str, dtype: str) -> Words:
    k = kind(dtype)
    rule = _rule(column.rule, dtype)
    says = f"<code>{javadoc(column.name)}</code>: {rule}"
    words: Words = {"field": name, "java": k.java, "boxed": k.boxed, "put": k.put, "says": says, "says_rule": rule}
    return words | {"enum": None, "given": f"this.{name}"}


def _enum(field: Words, levels: Levels) -> Words:
    missing = ", null where it is missing" if levels.nullable else ""
    says = f"<code>{javadoc(levels.column)}</code>: one of its levels{missing}"
    given = f"this.{field['field']} == null ? null : this.{field['field']}.text"
    return {"enum": levels, "java": levels.type, "boxed": levels.type, "put": "level", "says": says, "given": given}


def _rule(rule: TensorSpec, dtype: str) -> str:
    said = kind(dtype).says
    if rule.nullable and kind(dtype) in (NUMBER, TEXT):
        said += f", {'NaN' if kind(dtype) is NUMBER else 'null'} where it is missing"
    if rule.limit is not None:
        said += f", of a magnitude up to {rule.limit:g}"
    if rule.least is not None:
        said += f", not below {rule.least!r}"
    if rule.most is not None:
        said += f", not above {rule.most!r}"
    if rule.values is not None:
        more = ", …" if len(rule.values) > SHOWN else ""
        said += f", one of {', '.join(_shown(v) for v in rule.values[:SHOWN])}{more}"
    return said


def _shown(value: Scalar) -> str:
    return f"&quot;{javadoc(value)}&quot;" if isinstance(value, str) else javadoc(str(value))


def answers(signature: Signature) -> list[Words]:
    """One entry per output of a row: its part of `Prediction`, and the code that reads it."""
    taken = ("outputs", "rows", "row", "predictions")
    names = identifiers((o.name for o in signature.outputs), taken)
    return [_answer(o, n, i, signature) for i, (o, n) in enumerate(zip(signature.outputs, names, strict=True))]


def _answer(output: TensorSpec, name: str, place: int, signature: Signature) -> Words:
    k = kind(output.dtype)
    keys = _keys(output, signature)
    words: Words = {
        "field": name, "literal": literal(escape(output.name)), "original": literal(output.name), "place": place,
        "key": None, "java": k.java, "read": f"{name}.{k.one}(row)",
        "says": f"<code>{javadoc(output.name)}</code>: {k.says}",
    }  # fmt: skip
    if keys:
        key = _key_kind(output, keys, signature)
        constant = f"NAMES_{place}"
        words |= {"key": key.boxed, "constant": constant, "parse": key.parse, "java": f"Map<{key.boxed}, {k.boxed}>"}
        words |= {"read": f"{name}.{k.many}(row, {constant})", "says": _named(output, keys)}
    elif len(output.shape) == 2:
        words |= {"java": f"{k.java}[]", "read": f"{name}.{k.many}(row)", "says": f"{words['says']} per column"}
    return words


def _named(output: TensorSpec, keys: Sequence[Scalar]) -> str:
    more = ", …" if len(keys) > SHOWN else ""
    return f"<code>{javadoc(output.name)}</code> of {', '.join(_shown(v) for v in keys[:SHOWN])}{more}"


def _keys(output: TensorSpec, signature: Signature) -> tuple[Scalar, ...]:
    """The names of an output's columns; empty where it has none or they are ambiguous."""
    if len(output.shape) != 2 or kind(output.dtype) not in (NUMBER, WHOLE):
        return ()
    names = signature.classes if output.name == "probabilities" and signature.classes else output.columns
    known = isinstance(output.shape[1], str) or output.shape[1] == len(names)
    return names if known and len(set(map(str, names))) == len(names) else ()


def _key_kind(output: TensorSpec, keys: Sequence[Scalar], signature: Signature) -> Any:
    labels = [o.dtype for o in signature.outputs if o.name == "label"]
    if labels and (list(keys) == list(signature.classes) or output.name.startswith("probabilities_")):
        return kind(labels[0])
    if all(isinstance(k, bool) for k in keys):
        return TRUTH
    if all(isinstance(k, int) for k in keys):
        return WHOLE
    return NUMBER if all(isinstance(k, (int, float)) for k in keys) else TEXT


def output_table(signature: Signature) -> bytes:
    """`outputs.tsv`: a line per output, its name and the names of its columns."""
    lines = []
    for output in signature.outputs:
        keys = _keys(output, signature)
        of = _key_kind(output, keys, signature) if keys else TEXT
        lines.append([output.name, *(_key(k, of) for k in keys)])
    return table(lines)


def _key(key: Scalar, of: Any) -> str:
    if of is TRUTH:
        return "true" if key in (True, "True", "true") else "false"
    if of is NUMBER:
        return repr(float(key))
    return str(int(key)) if of is WHOLE else str(key)


def tensor_words(tensors: Sequence[TensorSpec]) -> list[Words]:
    """One entry per tensor of a graph without rows."""
    return [_tensor(t, n) for t, n in zip(tensors, identifiers(t.name for t in tensors), strict=True)]


def new_tensor(signature: Signature) -> str:
    """The expression that makes the first input, in which a free dimension is 1; empty where there is none."""
    if not signature.inputs:
        return ""
    tensor = signature.inputs[0]
    kind(tensor.dtype)
    sizes = [d if isinstance(d, int) and d >= 0 else 1 for d in tensor.shape]
    return f"new Tensor<>({', '.join([f'new {TYPES[tensor.dtype][:-2]}[{prod(sizes)}]', *map(str, sizes)])})"


def range_words(ranges: Sequence[Range]) -> list[Words]:
    """One entry per dimension that does not take every size."""
    return [{"name": literal(each.name), "least": each.least, "most": each.largest} for each in ranges]


def _tensor(tensor: TensorSpec, name: str) -> Words:
    kind(tensor.dtype)
    java = TYPES[tensor.dtype]
    dims = [literal(d) if isinstance(d, str) else '""' if d < 0 else f"{d}L" for d in tensor.shape]
    shape = ", ".join(javadoc(str(d)) for d in tensor.shape)
    return {
        "field": name, "java": java, "element": java[:-2], "dims": dims, "literal": literal(escape(tensor.name)),
        "original": literal(tensor.name), "says": f"<code>{javadoc(tensor.name)}</code>: {tensor.dtype} [{shape}]",
        "wrong_shape": ", ".join(["1"] * (len(tensor.shape) + 1)),
    }  # fmt: skip


def first_row(golden: Mapping[str, bytes]) -> dict[str, list[Any]]:
    """The first row of the first answered golden case: the cells of each input by its name."""
    for name in sorted(n for n in golden if n.endswith(".request.json")):
        answer = json.loads(golden.get(name.replace(".request.", ".response."), b'{"error":""}'))
        inputs = json.loads(golden[name])["inputs"]
        if "error" not in answer and all(i.get("data") and i["shape"] and i["shape"][0] for i in inputs):
            return {i["name"]: i["data"][: len(i["data"]) // i["shape"][0]] for i in inputs}
    return {}


def cell(words: Words, value: Any) -> str:
    """A Java expression for a cell of the README's example."""
    if words["enum"]:
        return str(words["enum"].constant(value))
    if words["java"] == "String":
        return '""' if value is None else json.dumps(str(value), ensure_ascii=False)
    if words["java"] == "boolean":
        return "true" if value else "false"
    if words["java"] == "long":
        return f"{int(value or 0)}L"
    return f"{float(value)!r}" if isinstance(value, (int, float)) else "Double.NaN" if value in ("NaN", None) else "0.0"
