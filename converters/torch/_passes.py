"""Passes over the graph as torch's exporter leaves it, before it is proved: what ships is what is proved.

None changes how a number is computed: fusions are left to the runtime, which knows its machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._graph.empty_batches import with_a_row_for_none


@dataclass(frozen=True)
class Pass:
    """A change of a graph in place. `requires`, `ensures`: sentences."""

    name: str
    requires: str
    ensures: str
    run: Callable[[Any], None]


def optimised(model: Any) -> Any:
    """The graph after all passes; its outputs keep their types, which a merged node does not have."""
    known = [(value.type, value.shape) for value in model.graph.outputs]
    for each in PASSES:
        each.run(model)
    for value, (kind, shape) in zip(model.graph.outputs, known):
        value.type, value.shape = value.type or kind, value.shape if value.shape is not None else shape
    return model


def _common(*names: str) -> Callable[[Any], None]:
    def run(model: Any) -> None:
        from onnx_ir.passes import common

        for name in names:
            getattr(common, name)()(model)

    return run


def _fold(model: Any) -> None:
    from onnxscript import optimizer

    optimizer.fold_constants(model)


def _lift(model: Any) -> None:
    from onnx_ir.passes import common

    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    common.LiftSubgraphInitializersToMainGraphPass()(model)


PASSES: tuple[Pass, ...] = (
    Pass("functions inside", "a graph", "operators of ONNX alone, no functions", _common("InlinePass")),
    Pass("constants folded", "no functions", "what follows from constants is one, up to 8 KB of them", _fold),
    Pass("a row for none", "a graph", "no node that cannot take one has an empty batch", with_a_row_for_none),
    Pass(
        "the unused left out",
        "a graph",
        "every node, function and opset is used",
        _common("RemoveUnusedNodesPass", "RemoveUnusedFunctionsPass", "RemoveUnusedOpsetsPass"),
    ),
    Pass("constants in one place", "a graph", "every constant is an initializer of the main graph", _lift),
    Pass(
        "nothing twice",
        "constants in one place",
        "equal constants and equal nodes are one",
        _common("DeduplicateInitializersPass", "CommonSubexpressionEliminationPass"),
    ),
)
