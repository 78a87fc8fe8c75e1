"""Batches of other sizes and of extreme values for a model of tensors, answered by the original in a spare process.

A graph may crash its process on a size or a number (integer division by 0): that is recorded, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import TypeVar

from mlpack_toolkit.converters._worker.tensor_probes import Tried, free_dims, size_of, tensor_probes
from mlpack_toolkit.converters.messages import Adopt, Load
from mlpack_toolkit.converters.spec import BATCH, Signature, Table, TensorSpec
from mlpack_toolkit.runtimes.engine.rules import violations

from ..equivalence.probes import Batch
from ..errors import ForgedError, ModelError
from ..original.worker import Limits, Worker

A = TypeVar("A")
DEATHS = 3
"""The most processes that may crash; after that the original is not asked again."""


class NotAsked(ModelError):
    """The original was not asked: its process crashed too often."""


class Spare:
    """The model in a process of its own, which is restarted after a crash. `signature`: set it before the first
    `predict`; `first`: what a process is asked before all else, for an original may keep what it finds in its first
    tensors (torchvision's detectors keep the scales of their maps), and the graph has those of the example."""

    signature: Signature
    first: Table | None = None

    def __init__(self, python: str, scratch: Path, limits: Limits, request: Load) -> None:
        self._python, self._scratch, self._limits, self._request = python, scratch, limits, request
        self._worker: Worker | None = None
        self._deaths, self._warm = 0, False
        self.ended = False
        """Whether the last question ended the process."""

    def __enter__(self) -> Spare:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._worker is not None:
            self._worker.kill()

    def predict(self, batch: Table) -> Table:
        """The original's answers; `ModelError` where it refuses, or its process ends."""
        if self._deaths >= DEATHS:
            raise NotAsked("not asked: the original's process crashed on earlier batches")
        outputs = dict.fromkeys(t.name for t in self.signature.outputs)
        return self._asked(lambda worker: worker.predict(batch, self._folder, outputs))

    def noise(self, batch: Table) -> Mapping[str, float]:
        """The original's noise in a batch that it answers; none where it cannot be asked."""
        if self._deaths >= DEATHS:
            return {}
        return self._asked(lambda worker: worker.noise(batch, self._folder))

    def _asked(self, question: Callable[[Worker], A]) -> A:
        """The reply to a question; a process that it ends is started again for the next one."""
        worker, self.ended = self._ready(), False
        try:
            if self.first is not None and not self._warm:
                self._warm = True
                worker.predict(self.first, self._folder, dict.fromkeys(t.name for t in self.signature.outputs))
            return question(worker)
        except ForgedError:
            raise
        except ModelError:
            if not worker.alive():
                worker.kill()
                self._worker, self._deaths, self.ended = None, self._deaths + 1, True
            raise

    def begin(self) -> Worker:
        """The process, started if there is none; it loads the model in the background."""
        if self._worker is not None:
            return self._worker
        self._folder = Path(mkdtemp(dir=self._scratch))  # a name that the first process cannot have created
        self._worker, self._loaded = Worker(self._python, self._folder, self._limits), False
        self._warm = False
        self._worker.send(self._request)
        return self._worker

    def _ready(self) -> Worker:
        worker = self.begin()
        if not self._loaded:
            worker.receive(self._request)
            worker.call(Adopt(self.signature))
            self._loaded = True
        return worker


def answered(signature: Signature, rows: Table, ask: Callable[[Table], Table]) -> tuple[Batch, ...]:
    """Every batch, with the original's answers or its error message."""
    return tuple(_answered(signature, tried, ask) for tried in tensor_probes(signature, rows))


def _answered(signature: Signature, tried: Tried, ask: Callable[[Table], Table]) -> Batch:
    batch = Batch(tried.kind, tried.batch, {}, changes=tried.name, value=tried.value)
    forbidden = next(violations(signature, tried.batch), None)
    if forbidden is not None:  # found out already, perhaps by the end of a process
        return replace(batch, refused=str(forbidden), asked=False)
    try:
        return replace(batch, answers=ask(tried.batch))
    except ForgedError:
        raise
    except ModelError as error:
        return replace(batch, refused=str(error).splitlines()[0][:300], asked=not isinstance(error, NotAsked))


def widened(signature: Signature, others: Iterable[Batch]) -> Signature:
    """The signature with a symbolic dimension in place of each size of an output that changed in another batch: the
    dimension of an input that always has the same size, else one of its own.
    """
    others = [batch for batch in others if batch.answers]
    return replace(signature, outputs=tuple(_widened(t, signature, others) for t in signature.outputs))


def _widened(spec: TensorSpec, signature: Signature, others: Sequence[Batch]) -> TensorSpec:
    names = [dim for dim in free_dims(signature.inputs) if dim != BATCH]
    along = {dim: [(size_of(signature.inputs, batch.inputs, dim),) for batch in others] for dim in names}
    dims = list(spec.shape)
    for axis, dim in enumerate(dims):
        sizes = [batch.answers[spec.name].shape[axis : axis + 1] for batch in others]
        if isinstance(dim, int) and any(size and size != (dim,) for size in sizes):
            dims[axis] = next((d for d in names if sizes == along[d]), f"{spec.name}_{axis}")
    return replace(spec, shape=tuple(dims))


def of_rank(signature: Signature, others: Iterable[Batch]) -> Iterator[Batch]:
    """The batches whose answers have the ranks of the signature; one of another rank counts as refused."""
    ranks = {t.name: len(t.shape) for t in signature.outputs}
    for batch in others:
        other = [name for name, values in batch.answers.items() if values.ndim != ranks.get(name)]
        said = f"the output {other[0]!r} has another number of dimensions in this batch" if other else ""
        yield replace(batch, answers={}, refused=said) if other else batch
