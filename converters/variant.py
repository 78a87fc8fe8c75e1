"""A variant: one form of a model that is held to the original's answers.

Standard library only, Python 3.9 and later: this file runs in the model's own interpreter too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .artifact import Artifact
from .spec import Scalar, Signature

ONNX = "onnx"
"""The format of an artifact that ONNX Runtime opens."""


@dataclass(frozen=True)
class Variant:
    """One artifact, and how it is opened and called.

    `signature`: its inputs and outputs with their own element types. `weights`: the element type of its stored numbers;
    `io`: that of its float inputs and outputs. `provider`: the execution provider that it was proved on, by ONNX
    Runtime's name; `options`: that provider's. `recipe`: how an engine was made of the reference, on which machine;
    empty for the reference itself.
    """

    name: str
    artifact: Artifact
    signature: Signature
    weights: str
    io: str
    provider: str = "CPUExecutionProvider"
    options: Mapping[str, Scalar] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
