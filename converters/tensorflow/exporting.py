"""From a model to an ONNX file that computes the same, or a refusal that names the operator and the layer.

Traced by TensorFlow, checked for what no graph can say, frozen and translated by tf2onnx with translations of ours in
place of its wrong ones (`_fixes`), and written without anything of this machine.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..spec import TensorSpec, Unsupported
from ._fixes import handlers, instead
from ._passes import with_a_row_for_none, with_sizes_computed, with_texts_compared
from ._shipping import check_file, check_operators, tidied, write
from .model import TensorflowModel
from .purity import check_effects, check_needed, nodes_of

OPSET = 18
"""Of the graph: the newest that tf2onnx writes."""
LARGEST_GRAPH = (1 << 31) - (1 << 20)


def traced(model: TensorflowModel, inputs: Sequence[TensorSpec]) -> Any:
    """The model as a graph of TensorFlow for inputs of these sizes. Raises `Unsupported`."""
    import tensorflow as tf

    specs = {t.name: tf.TensorSpec([None if isinstance(d, str) else d for d in t.shape], t.dtype) for t in inputs}
    try:
        found = tf.function(model.ask).get_concrete_function(specs)
    except Unsupported:
        raise
    except Exception as error:
        raise Unsupported(f"TensorFlow cannot trace the model: {_first_line(error)}") from error
    check_effects(nodes_of(found.graph))
    return found


def export(model: TensorflowModel, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], out: Path) -> None:
    """Writes the graph of the model, its weights beside it where they are large. Raises `Unsupported`."""
    concrete = traced(model, inputs)
    names = [t.name for t in inputs]
    takes = dict(zip(names, _placeholders(concrete, len(inputs))))
    gives = {t.name: concrete.structured_outputs[t.name].name for t in outputs}
    with quiet():
        graph, tables = _frozen(model, concrete, list(takes.values()), list(gives.values()))
        check_needed([*graph.node, *(n for f in graph.library.function for n in f.node_def)])
        made = _translated(graph, takes, gives, tables)
    check_operators(made, instead)
    with_texts_compared(made, any(t.is_text for t in inputs))
    tidy = tidied(made, takes, gives, inputs, outputs)
    with_sizes_computed(tidy)
    write(with_a_row_for_none(tidy), out)
    check_file(out)


def _placeholders(concrete: Any, count: int) -> list[str]:
    """The tensors of the inputs by name in the graph, in the order of their names' dict: sorted, as tf.nest has it."""
    specs = concrete.structured_input_signature[0][0]
    order = sorted(specs)
    flat = [t.name for t in concrete.inputs[:count]]
    by_name = dict(zip(order, flat))
    return [by_name[name] for name in specs]


def _frozen(model: TensorflowModel, concrete: Any, takes: list[str], gives: list[str]) -> tuple[Any, Any]:
    """The graph with constants for variables, and the contents of its tables."""
    from tf2onnx import tf_loader

    try:
        return tf_loader.from_trackable(model.holder, concrete, takes, gives, False)  # type: ignore[no-any-return]
    except ValueError as error:
        raise Unsupported(f"TensorFlow cannot make constants of the model's variables: {_first_line(error)}") from error


def _translated(graph: Any, takes: dict[str, str], gives: dict[str, str], tables: Any) -> Any:
    """tf2onnx's graph, under the names asked for."""
    from tf2onnx import convert, utils

    utils.INTERNAL_NAME = 1
    rename = {tensor: f"in:{name}" for name, tensor in takes.items()}
    rename |= {tensor: f"out:{name}" for name, tensor in gives.items() if tensor not in rename}
    try:
        made, _ = convert._convert_common(
            graph,
            name="model",
            opset=OPSET,
            input_names=list(takes.values()),
            output_names=list(dict.fromkeys(gives.values())),
            tensors_to_rename=rename,
            initialized_tables=tables,
            custom_op_handlers=handlers(tables),
        )
    except Unsupported:
        raise
    except Exception as error:
        raise Unsupported(f"tf2onnx cannot translate the model: {_first_line(error)}") from error
    return made


@contextmanager
def quiet() -> Iterator[None]:
    """tf2onnx says each step in the log, and an error that it goes on from."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:400]
