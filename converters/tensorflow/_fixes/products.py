"""Products by letters (`tf.einsum`) as one product of matrices, which also takes no rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .build import Nodes

_PAIR = re.compile(r"([A-Za-z]+),([A-Za-z]+)->([A-Za-z]*)")


def einsum(graph: Any, node: Any, name: str, args: Any) -> None:
    """Both operands with their axes as MatMul wants them, then the axes of the answer; others as tf2onnx has them."""
    from tf2onnx.onnx_opset.math import Einsum

    nodes = Nodes(graph, node)
    matched = _PAIR.fullmatch(node.get_attr("equation").s.decode())
    letters = _grouped(*matched.groups()) if matched is not None else None
    if matched is None or letters is None:
        Einsum.version_13(graph, node) if hasattr(Einsum, "version_13") else Einsum.version_12(graph, node)
        return
    shared, rows, inner, columns = letters
    left, right, wanted = matched.groups()
    one = _arranged(nodes, nodes.inputs[0], left, [*shared, rows, inner])
    other = _arranged(nodes, nodes.inputs[1], right, [*shared, inner, columns])
    product = nodes.op("MatMul", one, other)
    found = [*shared, rows, columns]
    gone = [place for place, letter in enumerate(found) if not letter]
    if gone:
        product = nodes.op("Squeeze", product, nodes.const(gone, "int64"))
    nodes.become(_transposed(nodes, product, [letter for letter in found if letter], wanted))


def _grouped(left: str, right: str, wanted: str) -> tuple[list[str], str, str, str] | None:
    """Letters of both and the answer, of the left, of both alone, of the right; None: not such a product."""
    plain = all(len(set(each)) == len(each) for each in (left, right, wanted)) and set(wanted) <= {*left, *right}
    shared = [c for c in left if c in right and c in wanted]
    rows = [c for c in left if c not in right]
    inner = [c for c in left if c in right and c not in wanted]
    columns = [c for c in right if c not in left]
    if not plain or max(map(len, (rows, inner, columns))) > 1 or not {*rows, *columns} <= set(wanted):
        return None
    return shared, "".join(rows), "".join(inner), "".join(columns)


def _arranged(nodes: Nodes, tensor: str, own: str, wanted: Sequence[str]) -> str:
    """The axes in the wanted order; one of size 1 where there is no letter."""
    found = _transposed(nodes, tensor, list(own), "".join(wanted))
    new = [place for place, letter in enumerate(wanted) if not letter]
    return nodes.op("Unsqueeze", found, nodes.const(new, "int64")) if new else found


def _transposed(nodes: Nodes, tensor: str, own: Sequence[str], wanted: str) -> str:
    order = [list(own).index(letter) for letter in wanted]
    return tensor if order == sorted(order) else nodes.op("Transpose", tensor, perm=order)


HANDLERS = {"Einsum": einsum}
