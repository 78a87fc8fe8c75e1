"""The standard converter (skl2onnx) as a step, for classes that have none of our own yet."""

from __future__ import annotations

from typing import Any

from .._steps import Step


def standard_step(fitted: Any) -> Step | None:
    """A step that inlines the graph of skl2onnx; None where it has no converter for the class."""
    return None
