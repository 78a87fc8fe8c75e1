"""How far the original is from itself: on other threads, one row at a time, and in float64 where it can be asked so.

Two faithful computations of one float32 network differ by as much; no graph can be nearer to the original than that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlpack_toolkit.converters.spec import Table

from ..bundle.golden import Tolerance

ROOM = 4.0
"""Times the noise that an answer may differ: the graph's own rounding errors come on top of the original's."""
MOST = 1e-3
"""The most that noise may allow, relative to the largest answer: an original that is noisier proves nothing."""

Noise = Mapping[str, float]
"""By output, the largest difference."""


def loosened(allowed: Mapping[str, Tolerance], noise: Noise, answers: Table) -> dict[str, Tolerance]:
    """The tolerances, wider where the original is noisy. `answers`: those that the noise belongs to."""
    return {name: _loosened(each, noise.get(name, 0.0), answers[name]) for name, each in allowed.items()}


def _loosened(allowed: Tolerance, noise: float, answers: np.ndarray[Any, Any]) -> Tolerance:
    finite = np.abs(answers[np.isfinite(answers)].astype(np.float64))
    most = MOST * float(finite.max(initial=0.0))
    return allowed.at_least(float(f"{min(ROOM * noise, most):.3g}"))
