"""Weights of 4 bits with a scale per block; calculations stay in float32."""

from __future__ import annotations

from ._graph import operators
from ._nbits import packed
from .spec import Kind

KIND = Kind(
    "int4",
    "weights of 4 bits with a scale per block, calculations in float32",
    "uint4",
    make=lambda work: packed(work, 4),
    count=lambda parent, made: operators(made, ("MatMulNBits",)),
    changes="quantised",
    seeks="MatMul and Gemm with a constant float32 weight of 1024 numbers or more",
)
