"""Half precision: weights and calculations in float16; inputs and outputs keep their types."""

from __future__ import annotations

from ._graph import constants_of
from ._half import FLOAT16, halved
from .spec import HALF, Kind

KIND = Kind(
    "fp16",
    "numbers of 16 bits inside; inputs and outputs keep their types",
    "float16",
    make=lambda work: halved(work, FLOAT16),
    count=lambda parent, made: constants_of(made, {FLOAT16: "float16 constants"}),
    changes="cast to float16",
    seeks="nodes of float32 numbers with constants",
    held=HALF,
)
