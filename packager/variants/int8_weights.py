"""Weights of 8 bits with a scale per block."""

from __future__ import annotations

from ._graph import operators
from ._nbits import packed
from ._tables import tables_of
from .spec import Kind

KIND = Kind(
    "int8_weights",
    "weights of 8 bits with a scale per block",
    "uint8",
    make=lambda work: packed(work, 8),
    count=lambda parent, made: {**operators(made, ("MatMulNBits",)), **tables_of(made)},
    changes="quantised",
    seeks="MatMul, Gemm and Gather with a constant of 1024 float32 numbers or more",
)
