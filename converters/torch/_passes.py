"""Passes over the graph as torch's exporter leaves it, before it is proved: what ships is what is proved.

None changes how a number is computed: fusions are left to the runtime, which knows its machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Pass:
    """A change of a graph in place. `requires`, `ensures`: sentences."""

    name: str
    requires: str
    ensures: str
    run: Callable[[Any], None]


def optimised(model: Any) -> Any:
    """The graph after all passes."""
    for each in PASSES:
        each.run(model)
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
