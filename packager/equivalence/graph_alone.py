"""The graph in a process of its own: whether it stands all that is tried, and refuses what the original refuses.

A graph can end its whole process: ONNX Runtime's GRU does on an empty batch, a division of whole numbers by 0.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from mlpack_toolkit.converters._worker.tensor_probes import free_dims
from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.messages import Load
from mlpack_toolkit.converters.spec import BATCH, Range, Signature, Table
from mlpack_toolkit.converters.table import take
from mlpack_toolkit.converters.variant import ONNX
from mlpack_toolkit.runtimes.engine.rules import violations

from ..errors import ConversionError, ForgedError, ModelError
from ..original.worker import Limits
from .others import Spare
from .probes import Batch, Probes


class StopsEmpty(Exception):
    """A graph that stops where a dimension is 0, though the original answers: many operators of ONNX Runtime do.

    `signature`: the one in which these dimensions begin at 1.
    """

    def __init__(self, signature: Signature, dims: Iterable[str]) -> None:
        super().__init__(f"the graph stops where a dimension is 0: {', '.join(dims)}")
        given = {each.name: each for each in signature.ranges}
        ones = {dim: replace(given.get(dim, Range(dim)), least=1) for dim in dims}
        self.signature = replace(signature, ranges=tuple({**given, **ones}.values()))


def begun(asked: Signature, proven: Signature) -> tuple[str, ...]:
    """A sentence for each dimension that begins at 1 because its graph stops at 0."""
    before = {each.name: each.least for each in asked.ranges}
    dims = [each.name for each in proven.ranges if each.least == 1 and not before.get(each.name, 0)]
    return tuple(
        f"The dimension {dim!r} begins at 1: the original answers at 0, and ONNX Runtime stops there." for dim in dims
    )


def check_alone(graph: Artifact, signature: Signature, probes: Probes, scratch: Path, limits: Limits) -> None:
    """Asks the graph all batches that are tried, and one without rows.

    Raises `ConversionError` where it ends its process, or answers what the original refuses and no rule forbids, and
    `StopsEmpty` where nothing else is wrong than that it stops where a free dimension is 0.
    """
    stops: list[str] = []
    with Spare(sys.executable, scratch, limits, Load(str(graph.path), ONNX)) as spare:
        spare.signature = signature
        for batch in _open(signature, (*probes.others, *_without_rows(signature, probes))):
            if _stops(batch, spare) and batch.value == 0 and batch.changes in free_dims(signature.inputs):
                stops.append(batch.changes)
    if stops:
        raise StopsEmpty(signature, dict.fromkeys(stops))


def _without_rows(signature: Signature, probes: Probes) -> Iterable[Batch]:
    if signature.has_rows and 0 in signature.batch_sizes:
        yield Batch("batch of 0", take(probes.rows, slice(0, 0), signature.batch_axes), {}, changes=BATCH, value=0)


def _open(signature: Signature, batches: Iterable[Batch]) -> Iterable[Batch]:
    """The batches that no rule forbids, but those that the original was not asked."""
    for batch in batches:
        if batch.asked and next(violations(signature, batch.inputs), None) is None:
            yield batch


def _stops(batch: Batch, spare: Spare) -> bool:
    """Whether the graph stops though the original answers."""
    answers: Table | None = None
    try:
        answers = spare.predict(batch.inputs)
    except ForgedError:
        raise
    except ModelError as error:
        if not batch.refused and spare.ended:
            raise ConversionError(
                f"ONNX Runtime ends its process on a batch of kind {batch.kind!r}, which the original answers ({error})"
            ) from error
        return not batch.refused
    if batch.refused and answers is not None:
        raise ConversionError(
            f"the original refuses a batch of kind {batch.kind!r} ({batch.refused}), and the graph answers it: no rule "
            "on single inputs can say what is refused. Check it in code before the model, or give the sizes that the "
            "model takes (-O torch.dynamic=INPUT.AXIS:NAME[LEAST..MOST])"
        )
    return False
