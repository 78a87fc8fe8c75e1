"""Batches of other sizes and of extreme values for a model of tensors, answered by the original in a spare process.

A graph may crash its process on a size or a number (integer division by 0): that is recorded, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Any

import numpy as np

from mlpack_toolkit.converters._worker.probes import LADDER
from mlpack_toolkit.converters.bfloat16 import LARGEST
from mlpack_toolkit.converters.messages import Adopt, Load
from mlpack_toolkit.converters.spec import BFLOAT16, INTEGERS, Signature, Table, TensorSpec
from mlpack_toolkit.converters.table import take

from ..equivalence.probes import Batch
from ..errors import ForgedError, ModelError
from ..original.worker import Limits, Worker

ROWS = 4
"""Rows of the example in a batch of other sizes or values."""
INPUTS = 16
"""Most inputs whose values are tried."""
DEATHS = 3
"""The most processes that may crash; after that the original is not asked again."""
MOST_BYTES = 16 << 20
TEXTS = ("", "😀 日本", "a" * 300)
Array = np.ndarray[Any, Any]


class Spare:
    """The model in a process of its own, which is restarted after a crash. `signature`: set it before the first
    `predict`."""

    signature: Signature

    def __init__(self, python: str, scratch: Path, limits: Limits, request: Load) -> None:
        self._python, self._scratch, self._limits, self._request = python, scratch, limits, request
        self._worker: Worker | None = None
        self._deaths = 0

    def __enter__(self) -> Spare:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._worker is not None:
            self._worker.kill()

    def predict(self, batch: Table) -> Table:
        """The original's answers; `ModelError` where it refuses, or its process ends."""
        if self._deaths >= DEATHS:
            raise ModelError("not asked: the original's process crashed on earlier batches")
        worker = self._ready()
        try:
            return worker.predict(batch, self._folder, dict.fromkeys(t.name for t in self.signature.outputs))
        except ForgedError:
            raise
        except ModelError:
            if not worker.alive():
                worker.kill()
                self._worker, self._deaths = None, self._deaths + 1
            raise

    def begin(self) -> Worker:
        """Starts the process, which loads the model in the background."""
        self._folder = Path(mkdtemp(dir=self._scratch))  # a name that the first process cannot have created
        self._worker, self._loaded = Worker(self._python, self._folder, self._limits), False
        self._worker.send(self._request)
        return self._worker

    def _ready(self) -> Worker:
        worker = self._worker or self.begin()
        if not self._loaded:
            worker.receive(self._request)
            worker.call(Adopt(self.signature))
            self._loaded = True
        return worker


def answered(signature: Signature, rows: Table, ask: Callable[[Table], Table]) -> tuple[Batch, ...]:
    """Every batch, with the original's answers or its error message."""
    return tuple(_answered(kind, batch, ask) for kind, batch in tried(signature, rows))


def _answered(kind: str, batch: Table, ask: Callable[[Table], Table]) -> Batch:
    try:
        return Batch(kind, batch, ask(batch))
    except ForgedError:
        raise
    except ModelError as error:
        return Batch(kind, batch, {}, str(error).splitlines()[0][:300])


def tried(signature: Signature, rows: Table) -> Iterator[tuple[str, Table]]:
    """Each free dimension at 0, 1 and a larger size, then each input filled with extreme values of its type."""
    axes = signature.batch_axes
    base = take(rows, slice(0, ROWS), axes) if signature.has_rows else rows
    for dim in dict.fromkeys(d for t in signature.inputs for d in t.shape if isinstance(d, str)):
        size = _size(signature.inputs, base, dim)
        for other in (1, 0, 2 * size + 1):
            if size and other != size and other * sum(v.nbytes for v in base.values()) <= size * MOST_BYTES:
                yield f"size {other} of {dim}", _resized(signature.inputs, base, dim, other)
    for spec in signature.inputs[:INPUTS]:
        for words, value in _values(spec):
            yield f"{words} in {spec.name}", {**base, spec.name: _full(spec, base[spec.name].shape, value)}


def _size(inputs: Iterable[TensorSpec], table: Table, dim: str) -> int:
    return int(next(table[t.name].shape[t.shape.index(dim)] for t in inputs if dim in t.shape))


def _resized(inputs: Iterable[TensorSpec], table: Table, dim: str, size: int) -> Table:
    """The tensors with another size of one dimension: truncated, or repeated from the start."""
    found = dict(table)
    for spec in inputs:
        for axis, each in enumerate(spec.shape):
            if each == dim:
                own = found[spec.name]
                found[spec.name] = np.take(own, np.arange(size) % own.shape[axis], axis)
    return found


def _values(spec: TensorSpec) -> Iterator[tuple[str, Any]]:
    if spec.is_text:
        yield from ((f"text of {len(text)} letters", text) for text in TEXTS)
    elif spec.dtype == "bool":
        yield from (("true", True), ("false", False))
    elif spec.dtype in INTEGERS:
        bounds = np.iinfo(spec.dtype)
        yield from ((f"{value}", value) for value in dict.fromkeys((0, 1, int(bounds.max), int(bounds.min))))
    else:
        largest = _largest(spec.dtype)
        steps = [step for step in (*LADDER, float("inf")) if step < largest or step == float("inf")]
        yield from ((f"{value:g}", value) for value in (0.0, *steps, -largest, float("nan")))


def _largest(dtype: str) -> float:
    return LARGEST if dtype == BFLOAT16 else float(np.finfo(dtype).max)


def _full(spec: TensorSpec, shape: tuple[int, ...], value: Any) -> Array:
    """An array full of one value; of a positive float every other cell is its negative."""
    found = np.full(shape, value, spec.in_numpy)
    if isinstance(value, float) and value > 0:
        found.reshape(-1)[1::2] *= -1
    return found


def widened(signature: Signature, others: Iterable[Batch]) -> Signature:
    """The signature with a symbolic dimension in place of each size of an output that changed in another batch."""
    shapes = {t.name: list(t.shape) for t in signature.outputs}
    for batch in others:
        for name, values in batch.answers.items():
            for axis, (dim, size) in enumerate(zip(shapes[name], values.shape, strict=False)):
                if isinstance(dim, int) and dim != size:
                    shapes[name][axis] = f"{name}_{axis}"
    return replace(signature, outputs=tuple(replace(t, shape=tuple(shapes[t.name])) for t in signature.outputs))


def of_rank(signature: Signature, others: Iterable[Batch]) -> Iterator[Batch]:
    """The batches whose answers have the ranks of the signature; one of another rank counts as refused."""
    ranks = {t.name: len(t.shape) for t in signature.outputs}
    for batch in others:
        other = [name for name, values in batch.answers.items() if values.ndim != ranks.get(name)]
        said = f"the output {other[0]!r} has another number of dimensions in this batch" if other else ""
        yield replace(batch, answers={}, refused=said) if other else batch
