"""Gram matrix of a dictionary's atoms."""

from __future__ import annotations

from typing import Any


def gram_of(atoms: Any) -> Any:
    """Returns `[K, K]` in float64, multiplied in the atoms' own type as in scikit-learn: float32 products round."""
    import numpy as np

    return np.dot(atoms, atoms.T).astype(np.float64)
