"""Whether a model answers by its inputs alone: what draws random numbers, remembers, or reads files has no graph."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Callable

from ..spec import Table, Unsupported

_RANDOM = re.compile(
    r"^(Random(?!Dataset)\w*|Stateless(Random|Truncated|Parameterized|Multinomial|Sample|Shuffle)\w*|Stateful(Uniform|"
    r"Standard|Random|Truncated)\w*|TruncatedNormal|ParameterizedTruncatedNormal|Multinomial|Rng\w+|RandomShuffle)$"
)
_STATE = re.compile(
    r"^(Assign\w*|Scatter(Add|Sub|Mul|Div|Min|Max|Update)|ResourceScatter\w*|ResourceApply\w*|ResourceStridedSliceAssign|"
    r"MutableHashTable\w*|MutableDenseHashTable\w*|LookupTable(Insert|Remove|Import)\w*|\w*Queue\w*|\w*Stack(Push|Pop)\w*|"
    r"\w*Barrier\w*|ConditionalAccumulator\w*)$"
)
_FILES = re.compile(
    r"^(ReadFile|WriteFile|MatchingFiles|Save\w*|Restore\w*|MergeV2Checkpoints|\w*Reader\w*|\w*Dataset\w*|Iterator\w*|"
    r"InitializeTableFromTextFile\w*|Print\w*|\w*Summary\w*)$"
)
_PYTHON = ("PyFunc", "PyFuncStateless", "EagerPyFunc")


def check_needed(nodes: Iterable[Any]) -> None:
    """Raises `Unsupported` for an operator that no graph can have, among those that the outputs need."""
    for node in nodes:
        if _RANDOM.match(node.op):
            raise _draws(node)
        if _FILES.match(node.op):
            raise Unsupported(
                f"the model reads or writes a file as it answers ({node.op}{place(node.name)}): do that first"
            )


def check_effects(nodes: Iterable[Any]) -> None:
    """Raises `Unsupported` for an operator that does something besides its answer, or runs Python."""
    found = list(nodes)
    python = [node for node in found if node.op in _PYTHON]
    if python:
        raise Unsupported(
            f"the model calls Python ({python[0].op}{place(python[0].name)}, from tf.py_function or "
            "tf.numpy_function), which no graph holds: write that step with TensorFlow's own operators"
        )
    state = [node for node in found if _STATE.match(node.op)]
    random = [node for node in found if _RANDOM.match(node.op)]
    if state and random:  # the state is that of a generator
        raise _draws(random[0])
    if state:
        raise Unsupported(
            f"the model remembers: {state[0].op}{place(state[0].name)} changes a variable, a table or a queue with "
            "every call, and a graph answers by its inputs alone: take that state as an input and return it as an "
            "output (of a recurrent layer: stateful=False)"
        )


def _draws(node: Any) -> Unsupported:
    return Unsupported(
        f"the model draws random numbers ({node.op}{place(node.name)}), so that no graph can answer like it: switch "
        "that off for inference (training=False; of Keras give the .keras file), or take the numbers as an input"
    )


def place(name: str) -> str:
    """In which layer a node is, by its path: `sequential_1/lstm_1/while`."""
    parts = [part for part in name.split("/") if not re.match(r"^(Stateful)?PartitionedCall(_\d+)?$", part)]
    inner = [re.sub(r"_\d+$", "", part) for part in parts[:-1]]
    return f" in {'/'.join(inner[-2:])!r}" if inner else ""


def nodes_of(graph: Any) -> Iterator[Any]:
    """Every node of a graph and of the functions that it calls."""
    proto = graph.as_graph_def()
    yield from proto.node
    for function in proto.library.function:
        yield from function.node_def


def check_answers(ask: Callable[[], Table], fresh: Table, nodes: Iterable[Any]) -> Table:
    """The second answer of `ask`. Raises `Unsupported` where a model answers the same tensors otherwise.

    `fresh`: the first answer since the model was loaded; `nodes`: of the model, for the message.
    """
    first, second = ask(), ask()
    changed = [name for name in first if not (name in second and _alike(first[name], second[name]))]
    if changed:
        drawn = next((node for node in nodes if _RANDOM.match(node.op)), None)
        if drawn is not None:
            raise _draws(drawn)
        raise Unsupported(
            f"the model answers otherwise when it is called again with the same tensors (output {changed[0]!r}): it "
            "keeps a state, or draws random numbers"
        )
    changed = [name for name in first if not (name in fresh and _alike(first[name], fresh[name]))]
    if changed:
        raise Unsupported(
            f"the model answers its first call otherwise than the next ones (output {changed[0]!r}): it keeps a state"
        )
    return second


def _alike(one: Any, other: Any) -> bool:
    import numpy as np

    return one.shape == other.shape and bool(np.array_equal(one, other, equal_nan=one.dtype.kind in "fc"))
