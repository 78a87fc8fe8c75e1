"""Dynamic int8: weights of 8 bits, and each input of a product quantised when it is known, at every run.

Written here and not by ONNX Runtime's `quantize_dynamic`, which loads all weights at once and logs what it leaves out;
the nodes are the same, so that ONNX Runtime fuses them into its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._graph import Graph, operators
from ._integers import SEEKS, scaled
from ._products import Product, quantised
from ._tables import tables_of
from .spec import Kind, Made, Work

MOST = 63
"""The largest magnitude of a weight: of 7 bits, as processors without VNNI add two products of 8 bits in 16."""


def dynamic(work: Work) -> Made:
    """The graph with a `MatMulInteger` in place of each product with a constant weight."""
    shared = set[str]()
    recipe = {"weights": "7 bits, a scale for each column"}
    return quantised(work, lambda graph, product: _nodes(graph, product, shared), recipe)


def _nodes(graph: Graph, product: Product, shared: set[str]) -> list[Any]:
    """Nodes for the product; an input that several products share is quantised once."""
    from onnx import TensorProto, helper

    stem, left = _weight(graph, product), product.left
    name = product.node.name
    sides = [f"{left}.{part}" for part in ("quantised", "scale", "zero")]
    whole, real, scale = (f"{name}.{part}" for part in ("integers", "reals", "scale"))
    nodes = []
    if left not in shared:
        shared.add(left)
        nodes.append(helper.make_node("DynamicQuantizeLinear", [left], sides, name=f"{left}.quantise"))
    nodes += [
        helper.make_node("MatMulInteger", [sides[0], f"{stem}.weight", sides[2], f"{stem}.zero"], [whole], name=name),
        helper.make_node("Cast", [whole], [real], name=f"{name}.cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", [sides[1], f"{stem}.scale"], [scale], name=f"{name}.scales"),
        helper.make_node("Mul", [real, scale], [product.result], name=f"{name}.result"),
    ]
    return product.after(*nodes)


def _weight(graph: Graph, product: Product) -> str:
    """Where the quantised weight is in the graph: the stem of its names."""
    stem = product.weight.stem(8)
    if f"{stem}.weight" not in graph.constants():
        whole, scale = scaled(product.weight.read(), 0, MOST)
        graph.put(f"{stem}.weight", whole)
        graph.put(f"{stem}.scale", scale.ravel())
        graph.put(f"{stem}.zero", np.zeros(scale.size, np.int8))
    return stem


KIND = Kind(
    "int8",
    "weights of 8 bits, inputs of products quantised at every run",
    "int8",
    make=dynamic,
    count=lambda parent, made: {**operators(made, ("MatMulInteger",)), **tables_of(made)},
    changes="quantised",
    seeks=SEEKS,
)
