"""Weights of 8 bits with a scale per block."""

from __future__ import annotations

from ._nbits import blocks_of

KIND = blocks_of("int8_weights", 8)
