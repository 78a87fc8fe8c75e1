"""Cosines in both types: ONNX Runtime 1.28, which the Java project takes, has no kernel for those of doubles."""

from __future__ import annotations

from .builder import GraphBuilder


def cosine(graph: GraphBuilder, angle: str) -> str:
    """`cos(angle)`; of doubles as `1 - 2 sin(angle / 2) ** 2`, whose half angle is exact."""
    if graph.real == "float32":
        return graph.op("Cos", angle)
    sine = graph.op("Sin", graph.op("Mul", angle, graph.const(0.5)))
    return graph.op("Sub", graph.const(1.0), graph.op("Mul", graph.const(2.0), graph.op("Mul", sine, sine)))
