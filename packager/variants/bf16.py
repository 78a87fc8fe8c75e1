"""bfloat16: the range of float32 in 16 bits; inputs and outputs keep their types."""

from __future__ import annotations

from ._graph import constants_of
from ._half import BFLOAT16, halved
from .spec import Kind

KIND = Kind(
    "bf16",
    "bfloat16 inside, where the provider can run it; inputs and outputs keep their types",
    "bfloat16",
    make=lambda work: halved(work, BFLOAT16),
    count=lambda parent, made: constants_of(made, {BFLOAT16: "bfloat16 constants"}),
    changes="cast to bfloat16",
    seeks="nodes of float32 numbers with constants",
)
