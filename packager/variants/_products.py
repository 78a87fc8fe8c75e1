"""The products with a constant weight in a graph: `MatMul`, and `Gemm`, which a pass rewrites to `MatMul` and `Add`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._graph import Graph
from ._integers import LEAST
from ._tables import looked_up
from .spec import Made, Work

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Weight:
    """A constant of a product, as rows times columns. `transposed`: the constant has it the other way round."""

    graph: Graph
    tensor: Any
    transposed: bool
    factor: float

    @property
    def name(self) -> str:
        return f"{self.tensor.name}.{self.factor!r}" if self.factor != 1 else str(self.tensor.name)

    @property
    def shape(self) -> tuple[int, int]:
        first, second = self.tensor.dims
        return (second, first) if self.transposed else (first, second)

    def stem(self, bits: int) -> str:
        """The stem of the names of the weight as integers of so many bits."""
        return f"{self.name}.{'t' if self.transposed else 'n'}.q{bits}"

    @property
    def size(self) -> int:
        return int(np.prod(self.tensor.dims))

    def read(self) -> Array:
        """The numbers, rows times columns."""
        found = np.asarray(self.graph.array(self.tensor), np.float32)
        found = found.T if self.transposed else found
        return np.ascontiguousarray(found if self.factor == 1 else found * np.float32(self.factor))


@dataclass(frozen=True)
class Product:
    """A node that multiplies `left` with a constant weight, and adds `added` where it is not empty.

    `result`: the name that the product without the addition has.
    """

    graph: Graph
    node: Any
    left: str
    weight: Weight
    added: str
    result: str

    def after(self, *nodes: Any) -> list[Any]:
        """These nodes, the last of which gives `result`, and the addition."""
        from onnx import helper

        if not self.added:
            return [*nodes]
        name, output = f"{self.node.name}.add", self.node.output[0]
        return [*nodes, helper.make_node("Add", [self.result, self.added], [output], name=name)]


def quantised(
    work: Work, nodes: Callable[[Graph, Product], list[Any]], recipe: Mapping[str, Any], domain: str = ""
) -> Made:
    """The graph with other nodes in place of each product with a large constant weight, and tables of 8 bits.

    `domain`: of the operators of these nodes.
    """
    graph = Graph(work.parent, work.folder)
    chosen = [p for p in products(graph) if p.node.name not in work.keep and p.weight.size >= LEAST]
    changed = {product.node.name: nodes(graph, product) for product in chosen}
    if changed and domain:
        graph.import_domain(domain)
    changed |= looked_up(graph, work.keep)
    order = [node.name for node in graph.nodes if node.name in changed]
    graph.replace(changed)
    return Made(graph.write(), tuple(order), recipe)


def products(graph: Graph) -> Iterator[Product]:
    """Every product with a constant float32 weight of two dimensions, in the order of the graph."""
    import onnx

    constants = {n: t for n, t in graph.constants().items() if t.data_type == onnx.TensorProto.FLOAT}
    given, turned = {each.name for each in graph.proto.graph.input}, _turned(graph, constants)
    for node in graph.nodes:
        if node.op_type not in ("MatMul", "Gemm") or node.domain not in ("", "ai.onnx"):
            continue
        weight = constants.get(turned.get(node.input[1], node.input[1]))
        if weight is None or len(weight.dims) != 2 or 0 in weight.dims or weight.name in given:
            continue
        other = node.input[1] in turned
        if node.op_type == "MatMul":
            yield Product(graph, node, node.input[0], Weight(graph, weight, other, 1.0), "", node.output[0])
        elif found := _gemm(graph, node, weight, other, constants):
            yield found


def _turned(graph: Graph, constants: dict[str, Any]) -> dict[str, str]:
    """By output of a `Transpose` of a constant of two dimensions, the constant: a weight that is an embedding, too."""
    nodes = (n for n in graph.nodes if n.op_type == "Transpose" and n.input[0] in constants)
    return {n.output[0]: n.input[0] for n in nodes if all(list(each.ints) == [1, 0] for each in n.attribute)}


def _gemm(graph: Graph, node: Any, weight: Any, turned: bool, constants: dict[str, Any]) -> Product | None:
    """The product of a `Gemm`; None where it transposes its left side, or scales a sum that is no constant."""
    from onnx import helper

    values = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    added = node.input[2] if len(node.input) > 2 else ""
    if values.get("transA", 0):
        return None
    beta = float(values.get("beta", 1.0))
    if added and beta != 1:
        if added not in constants:
            return None
        name = f"{added}.{beta!r}"
        if name not in graph.constants():
            graph.put(name, np.asarray(graph.array(constants[added]), np.float32) * np.float32(beta))
        added = name
    held = Weight(graph, weight, bool(values.get("transB", 0)) != turned, float(values.get("alpha", 1.0)))
    result = f"{node.output[0]}.product" if added else node.output[0]
    return Product(graph, node, node.input[0], held, added, result)
