"""Products of the atoms of a dictionary with each other."""

from __future__ import annotations

from typing import Any


def gram_of(atoms: Any) -> Any:
    """`[K, K]` in float64, multiplied in the atoms' own type as scikit-learn does: float32 ones round."""
    import numpy as np

    return np.dot(atoms, atoms.T).astype(np.float64)
