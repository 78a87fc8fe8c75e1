"""Cosine in float32 and float64: ONNX Runtime 1.28, which the Java project uses, has no float64 kernel for it."""

from __future__ import annotations

from .builder import GraphBuilder


def cosine(graph: GraphBuilder, angle: str) -> str:
    """Returns `cos(angle)`; in float64 as `1 - 2 sin(angle / 2) ** 2`, whose half angle is exact."""
    if graph.real == "float32":
        return graph.op("Cos", angle)
    sine = graph.op("Sin", graph.op("Mul", angle, graph.const(0.5)))
    return graph.op("Sub", graph.const(1.0), graph.op("Mul", graph.const(2.0), graph.op("Mul", sine, sine)))
