"""Assertions of a program that hold whatever the values: the tracer adds them itself, and they are proved here."""

from __future__ import annotations

from typing import Any

_COUNTING = {"aten.nonzero": None, "aten.where": None, "torchvision.nms": 0, "mlpack.suppressed": 0}
"""Operators whose answer is no longer than an axis of their first argument; None: than all its numbers."""


def is_proved(node: Any) -> bool:
    """Whether the condition of the assertion follows from what its sizes are made of."""
    condition = node.args[0].meta.get("val") if hasattr(node.args[0], "meta") else None
    holds = getattr(getattr(condition, "node", None), "expr", None)
    return condition is True or (holds is not None and _follows(holds, node.graph))


def _follows(holds: Any, graph: Any) -> bool:
    import sympy

    if holds is sympy.true:
        return True
    if isinstance(holds, sympy.Or):
        return any(_follows(each, graph) for each in holds.args)
    if isinstance(holds, sympy.Eq):
        return _are_equal(holds.lhs, holds.rhs) or (holds.rhs == 0 and _is_divided(holds.lhs))
    if isinstance(holds, sympy.Ge):
        return _is_no_more(holds.rhs, holds.lhs, graph)
    return isinstance(holds, sympy.Le) and _is_no_more(holds.lhs, holds.rhs, graph)


def _are_equal(one: Any, other: Any) -> bool:
    import sympy

    return bool(sympy.expand(one - other) == 0)


def _is_divided(remainder: Any) -> bool:
    """Whether it is a remainder of 0: the quotient has no denominator."""
    import sympy

    if not type(remainder).__name__.endswith("Mod"):
        return False
    quotient = sympy.cancel(remainder.args[0] / remainder.args[1])
    return bool(quotient.as_numer_denom()[1] == 1)


def _is_no_more(less: Any, more: Any, graph: Any) -> bool:
    if type(less).__name__ == "Min" and any(_are_equal(each, more) for each in less.args):
        return True
    return bool(less.is_Symbol and more.is_Integer and _most(less, graph) <= more)


def _most(symbol: Any, graph: Any) -> Any:
    """The most that a size can be which an operator finds as it runs: the length of what it looks at."""
    import sympy

    for node in graph.nodes:
        name = str(getattr(getattr(node.target, "_schema", None), "name", "")).replace("::", ".")
        if symbol in node.meta.get("unbacked_bindings", {}) and name in _COUNTING:
            axis, seen = _COUNTING[name], node.args[0].meta["val"]
            return _largest(seen.numel() if axis is None else seen.shape[axis])
        if symbol in node.meta.get("unbacked_bindings", {}) and name == "aten.index":
            masks = [each.meta["val"] for each in node.args[1] if each is not None and _is_mask(each.meta["val"])]
            return _largest(masks[0].numel()) if len(masks) == 1 else sympy.oo
    return sympy.oo


def _is_mask(tensor: Any) -> bool:
    return str(tensor.dtype) in ("torch.bool", "torch.uint8")


def _largest(length: Any) -> Any:
    return length if isinstance(length, int) else length.node.shape_env.bound_sympy(length.node.expr).upper
