"""Compares two signatures: inputs with their rules, outputs, classes, precision and tolerances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlpack_toolkit.converters.spec import Signature, TensorSpec

from .fields import changed_fields

RULES = ("dtype", "shape", "nullable", "missing", "limit", "least", "most", "values", "columns", "frame_dtype")


def signature_changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    """The changes of signature, precision and tolerances from one manifest's facts to another's."""
    before, after = Signature.from_json(a["signature"]), Signature.from_json(b["signature"])
    return {
        "facts": changed_fields(_facts(before, a), _facts(after, b), ("task", "classes", "precision")),
        "inputs": _tensor_changes(before.inputs, after.inputs),
        "outputs": _tensor_changes(before.outputs, after.outputs),
        "tolerances": _tolerance_changes(a.get("tolerances", {}), b.get("tolerances", {})),
    }


def _facts(signature: Signature, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {"task": signature.task, "classes": signature.classes, "precision": facts.get("precision")}


def _tensor_changes(a: Sequence[TensorSpec], b: Sequence[TensorSpec]) -> dict[str, Any]:
    """The changes of inputs or outputs. `reordered`: the common ones are in another order."""
    before, after = {t.name: t for t in a}, {t.name: t for t in b}
    common = [name for name in before if name in after]
    changed = ({"name": name, "changes": _rule_changes(before[name], after[name])} for name in common)
    return {
        "added": [_one(t) for t in b if t.name not in before],
        "removed": [_one(t) for t in a if t.name not in after],
        "changed": [each for each in changed if each["changes"]],
        "reordered": common != [name for name in after if name in before],
    }


def _one(tensor: TensorSpec) -> dict[str, Any]:
    return {"name": tensor.name, "dtype": tensor.dtype, "shape": list(tensor.shape)}


def _rule_changes(a: TensorSpec, b: TensorSpec) -> list[dict[str, Any]]:
    """The rules of a tensor that differ, then those of a matrix's columns, each with its `column`."""
    found = changed_fields(a.flat(), b.flat(), RULES)
    before, after = {f.name: f for f in a.features}, {f.name: f for f in b.features}
    for name in {**before, **after}:
        rules = changed_fields(_rules(before.get(name)), _rules(after.get(name)), RULES)
        found += [{"column": name, **change} for change in rules]
    return found


def _rules(tensor: TensorSpec | None) -> Mapping[str, Any]:
    return {} if tensor is None else tensor.flat()


def _tolerance_changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[dict[str, Any]]:
    changes = changed_fields(a, b, sorted({*a, *b}))
    return [{"output": c["field"], "from": c["from"], "to": c["to"]} for c in changes]
