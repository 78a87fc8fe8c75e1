"""Weight-only quantisation: weights as integers of 4 or 8 bits with a scale per block.

ONNX Runtime's own `MatMulNBitsQuantizer` takes `MatMul` alone, does nothing about `Gemm` without a word, and needs a
package more; its kernel that packs the blocks is used here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._graph import MICROSOFT, Graph
from ._products import Product, products
from ._tables import looked_up
from .spec import Made, Work

INTEGERS = 4
"""ONNX Runtime's level at which a product rounds each block of its input to 8 bits: 3 times as fast as float32 on one
thread, where its own level of float32 is slower; the error of 4 bits grows by a five hundredth."""
LEAST = 1024
"""Numbers of a weight that is worth a scale per block."""


def packed(work: Work, bits: int) -> Made:
    """The graph with a `MatMulNBits` in place of each product with a constant weight."""
    graph = Graph(work.parent, work.folder)
    chosen = [p for p in products(graph) if p.node.name not in work.keep and p.weight.size >= LEAST]
    changed = {product.node.name: _nodes(graph, product, bits, work.block) for product in chosen}
    if changed:
        graph.import_domain(MICROSOFT)
    changed |= looked_up(graph, work.keep)
    order = [node.name for node in graph.nodes if node.name in changed]
    graph.replace(changed)
    return Made(graph.write(), tuple(order), {"bits": bits, "block": work.block, "accuracy_level": INTEGERS})


def _nodes(graph: Graph, product: Product, bits: int, block: int) -> list[Any]:
    from onnx import helper

    stem = f"{product.weight.name}.{'t' if product.weight.transposed else 'n'}.q{bits}"
    rows, columns = product.weight.shape
    if f"{stem}.weight" not in graph.constants():
        for part, values in _blocks(product.weight.read(), bits, block).items():
            graph.put(f"{stem}.{part}", values)
    made = helper.make_node(
        "MatMulNBits",
        [product.left, f"{stem}.weight", f"{stem}.scale", f"{stem}.zero"],
        [product.result],
        name=product.node.name,
        domain=MICROSOFT,
        K=rows,
        N=columns,
        bits=bits,
        block_size=block,
        accuracy_level=INTEGERS,
    )
    return product.after(made)


def _blocks(weight: np.ndarray[Any, Any], bits: int, block: int) -> dict[str, np.ndarray[Any, Any]]:
    """The integers of each block of a column, their scales and zero points, as `MatMulNBits` takes them."""
    from onnxruntime.capi import _pybind_state as kernels

    rows, columns = weight.shape
    blocks, each = -(-rows // block), 8 // bits
    whole = np.zeros((blocks * block, columns), np.float32)
    whole[:rows] = weight
    integers = np.zeros((columns, blocks, block // each), np.uint8)
    zeros = np.zeros((columns, -(-blocks // each)), np.uint8)
    scales = np.zeros((columns, blocks), np.float32)
    pack = kernels.quantize_matmul_4bits if bits == 4 else kernels.quantize_matmul_8bits
    pack(integers, whole, scales, zeros, block, columns, rows, False)
    return {"weight": integers, "scale": scales.reshape(-1), "zero": zeros.reshape(-1)}
