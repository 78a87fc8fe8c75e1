"""ONNX Runtime's form of an engine: an ONNX file with one node, `EPContext`, that names the engine's file beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.artifact import Artifact

OPERATOR, DOMAIN = "EPContext", "com.microsoft"
OPSET, IR_VERSION = 18, 9


def write_context(parent: Artifact, engine: str, version: str, provider: str, lowest: str, target: Path) -> None:
    """Writes the file with the inputs and outputs of the parent.

    `engine`: the engine's file, in the folder of `target`. `lowest`: the least compute capability, like `89`; ONNX
    Runtime warns where the card has another.
    """
    import onnx
    from onnx import helper

    graph = onnx.load(parent.path, load_external_data=False).graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [each for each in graph.input if each.name not in constants]
    node = helper.make_node(
        OPERATOR,
        [each.name for each in inputs],
        [each.name for each in graph.output],
        name="engine",
        domain=DOMAIN,
        main_context=1,
        embed_mode=0,
        ep_cache_context=engine,
        ep_sdk_version=version,
        hardware_architecture=lowest,
        onnx_model_filename=parent.main,
        partition_name="engine",
        source=provider,
    )
    made = helper.make_graph([node], "engine", inputs, list(graph.output))
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=IR_VERSION, producer_name="mlpack")
    target.write_bytes(model.SerializeToString(deterministic=True))


def references(model: Any) -> Sequence[str]:
    """The engines that nodes of a graph name, and an empty text for each that holds native code itself."""
    found = []
    for node in (each for each in model.graph.node if each.op_type == OPERATOR and each.domain == DOMAIN):
        values = {a.name: a for a in node.attribute}
        beside = "embed_mode" in values and values["embed_mode"].i == 0 and "ep_cache_context" in values
        found.append(values["ep_cache_context"].s.decode("utf-8", "replace") if beside else "")
    return found
