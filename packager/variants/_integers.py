"""Numbers as integers with a scale."""

from __future__ import annotations

from typing import Any

import numpy as np

LEAST = 1024
"""Numbers of a constant that is worth scales."""
SEEKS = f"MatMul, Gemm and Gather with a constant of {LEAST} float32 numbers or more"
Array = np.ndarray[Any, Any]


def scaled(values: Array, axis: int, most: int) -> tuple[Array, Array]:
    """Integers of at most `most`, and the scales along the axis by which they are the numbers; 1 where all are 0."""
    largest = np.abs(values).max(axis=axis, keepdims=True)
    scale = np.where(largest > 0, largest / most, 1).astype(np.float32)
    return np.clip(np.rint(values / scale), -most, most).astype(np.int8), scale
