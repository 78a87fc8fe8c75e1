"""Weight-only quantisation: weights as integers of 4 or 8 bits with a scale per block.

ONNX Runtime's own `MatMulNBitsQuantizer` takes `MatMul` alone, does nothing about `Gemm` without a word, and needs a
package more; its kernel that packs the blocks is used here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._graph import MICROSOFT, Graph, operators
from ._integers import SEEKS
from ._products import Product, quantised
from ._tables import tables_of
from .spec import Kind, Made, Work

INTEGERS = 4
"""ONNX Runtime's level at which a product rounds each block of its input to 8 bits: 3 times as fast as float32 on one
thread, where its own level of float32 is slower; the error of 4 bits grows by a five hundredth."""


def blocks_of(name: str, bits: int) -> Kind:
    """The kind that stores weights as integers of so many bits."""
    return Kind(
        name,
        f"weights of {bits} bits with a scale per block",
        f"uint{bits}",
        make=lambda work: packed(work, bits),
        count=lambda parent, made: {**operators(made, ("MatMulNBits",)), **tables_of(made)},
        changes="quantised",
        seeks=SEEKS,
    )


def packed(work: Work, bits: int) -> Made:
    """The graph with a `MatMulNBits` in place of each product with a constant weight."""
    recipe = {"bits": bits, "block": work.block, "accuracy_level": INTEGERS}
    return quantised(work, lambda graph, product: _nodes(graph, product, bits, work.block), recipe, MICROSOFT)


def _nodes(graph: Graph, product: Product, bits: int, block: int) -> list[Any]:
    from onnx import helper

    stem = product.weight.stem(bits)
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
