"""Where errors grow: how far the values of each block in the graph are from what the original's submodule answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.graph_file import LARGE, NoGraph, proto_of
from mlpack_toolkit.converters.messages import Observe
from mlpack_toolkit.converters.spec import Signature, Table
from mlpack_toolkit.converters.table import take

from ..bundle.architecture import Block, Run, blocks_of, path_of, runs_of
from ..errors import ForgedError, MlpackError
from ..original.worker import Worker
from .probes import Probes
from .session import Session

ROWS = 2
"""Of the example; all of it where it has no rows."""
EACH, TOTAL = 16 << 20, 256 << 20
"""The most bytes of one submodule's answer, and of all."""
MOST_GRAPH = 1 << 30
"""Bytes of a graph, which is loaded once more."""
NEAR = 0.05
"""The largest error: values further apart are not the same thing, for a proved graph has no such error."""
OTHER_FORM = "not comparable"
TOO_LARGE = f"more than {EACH >> 20} MiB"

Array = np.ndarray[Any, Any]
Answers = Mapping[str, Sequence[Array]]
"""By path, what the submodule answered, call by call."""
Ask = Callable[[Table, tuple[str, ...]], "tuple[Table, Sequence[str]]"]
"""The arrays of the parts at the paths, each under its path and a number; the paths whose answers are too large."""


def layers(graph: Artifact, signature: Signature, probes: Probes, worker: Worker, scratch: Path) -> tuple[Block, ...]:
    """The blocks of a proved graph with their errors on the example, where they can be compared."""

    def ask(rows: Table, paths: tuple[str, ...]) -> tuple[Table, Sequence[str]]:
        asked = Observe(str(scratch / "rows.npz"), str(scratch / "parts.npz"), paths, EACH, TOTAL)
        return worker.observe(rows, scratch, asked)

    return with_errors(graph, signature, _rows(signature, probes), ask)


def _rows(signature: Signature, probes: Probes) -> Table:
    rows, _, _ = probes.keep(probes.kinds == "example")
    if not signature.has_rows:
        return rows
    return take(rows, slice(0, max(ROWS, signature.batch_sizes.least)), signature.batch_axes)


def with_errors(graph: Artifact, signature: Signature, rows: Table, ask: Ask) -> tuple[Block, ...]:
    """The blocks, with errors on `rows` where the original has submodules and both sides can be asked."""
    try:
        proto = proto_of(graph.path)
    except (NoGraph, OSError):
        return ()
    runs = runs_of(proto.graph)
    blocks = blocks_of(proto.graph, runs)
    if not runs or not signature.takes_tensors or graph.size > MOST_GRAPH or graph.path.stat().st_size > LARGE:
        return blocks
    try:
        found, left_out = ask(rows, tuple(dict.fromkeys(path for path, _ in runs)))
        want = _by_path(found)
        candidates = _candidates(proto.graph, runs, want)
        known = _asked(graph, signature, rows, proto, candidates) if want else {}
    except ForgedError:
        raise
    except MlpackError:  # what a report adds must not end a build that is proved
        return blocks
    errors = [_nearest(names, known, want.get(path, ())) for names, (path, _) in zip(candidates, runs, strict=True)]
    return tuple(_compared(proto.graph, blocks, runs, errors, set(left_out))) if want else blocks


def _by_path(found: Table) -> Answers:
    answers: dict[str, list[Array]] = {}
    for name, values in found.items():
        if values.dtype.kind == "f" and values.size:
            answers.setdefault(name.rpartition(" ")[0], []).append(values)
    return answers


def _candidates(model: Any, runs: Sequence[Run], want: Answers) -> list[list[str]]:
    """By run, the values that leave its module and have the shape of an answer of it."""
    leaving, shapes = _Leaving(model), {v.name: v.type.tensor_type.shape.dim for v in model.value_info}
    shapes |= {v.name: v.type.tensor_type.shape.dim for v in model.output}
    return [
        [
            name
            for node in nodes
            for name in node.output
            if leaving.leaves(name, path) and any(_fits(shapes.get(name), each.shape) for each in want.get(path, ()))
        ]
        for path, nodes in runs
    ]


class _Leaving:
    """Who reads each value of a graph."""

    def __init__(self, model: Any) -> None:
        self._outputs = {value.name for value in model.output}
        self._readers: dict[str, list[str]] = {}
        for node in model.node:
            for name in _read(node):
                self._readers.setdefault(name, []).append(path_of(node))

    def leaves(self, value: str, path: str) -> bool:
        """Whether the value is an output of the graph, or read outside of the module at `path`."""
        readers = self._readers.get(value, ())
        return value in self._outputs or any(r != path and not r.startswith(f"{path}.") for r in readers)


def _read(node: Any) -> Iterator[str]:
    """The values that a node reads, in its subgraphs too."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            for inner in graph.node:
                yield from _read(inner)


def _fits(dims: Any, shape: tuple[int, ...]) -> bool:
    if dims is None:
        return False
    return len(dims) == len(shape) and all(
        not d.HasField("dim_value") or d.dim_value == n for d, n in zip(dims, shape, strict=True)
    )


def _asked(
    graph: Artifact, signature: Signature, rows: Table, proto: Any, candidates: list[list[str]]
) -> Mapping[str, Array]:
    """The values of the candidates: of a copy of the graph that gives them, beside the graph for its weights."""
    names = list(dict.fromkeys(name for each in candidates for name in each))
    if not names:
        return {}
    with _copy(graph, proto, names) as path:
        session = Session(path, signature, threads=1)
        return session.run_feeds(session.feeds(rows), names)


@contextmanager
def _copy(graph: Artifact, proto: Any, names: Sequence[str]) -> Iterator[Path]:
    known = {value.name: value for value in proto.graph.value_info}
    given = {value.name for value in proto.graph.output}
    proto.graph.output.extend(known[name] for name in names if name not in given)
    path = graph.path.with_name("layers.onnx")
    try:
        path.write_bytes(proto.SerializeToString())
        yield path
    finally:
        path.unlink(missing_ok=True)
        del proto.graph.output[len(given) :]


def _compared(
    model: Any, blocks: Sequence[Block], runs: Sequence[Run], errors: Sequence[float | None], left_out: set[str]
) -> Iterator[Block]:
    """The blocks with their errors, and the largest of those that each reads: through nodes of no block, or of one
    without an error, too."""
    of_node = {node.output[0]: i for i, (_, nodes) in enumerate(runs) for node in nodes}
    before, origins = [0.0] * len(runs), dict[str, dict[int, float]]()
    for node in model.node:
        block, made_of = of_node.get(node.output[0]), dict[int, float]()
        for name in _read(node):
            made_of |= origins.get(name, {})
        if block is not None:
            before[block] = max([before[block], *(error for other, error in made_of.items() if other != block)])
            own = errors[block]
            made_of = made_of if own is None else {block: own}
        origins |= dict.fromkeys(node.output, made_of)
    for each, error, reached in zip(blocks, errors, before, strict=True):
        remark = "" if error is not None else TOO_LARGE if each.path in left_out else OTHER_FORM
        yield replace(each, error=error, before=reached, remark=remark)


def _nearest(names: Sequence[str], known: Mapping[str, Array], answers: Sequence[Array]) -> float | None:
    """The smallest error of a value against an answer of the same shape; None where none is near."""
    found = (_error(known[name], answer) for name in names for answer in answers)
    return min((each for each in found if each <= NEAR), default=None)


def _error(got: Array, want: Array) -> float:
    """The largest difference of finite numbers, as a share of the largest number of the answer."""
    if got.shape != want.shape or got.dtype.kind != "f":
        return np.inf
    finite = np.isfinite(want)
    if not np.array_equal(finite, np.isfinite(got)):
        return np.inf
    one, other = got[finite].astype(np.float64), want[finite].astype(np.float64)
    apart, scale = float(np.abs(one - other).max(initial=0.0)), float(np.abs(other).max(initial=0.0))
    return apart / scale if scale else (0.0 if apart == 0 else np.inf)
