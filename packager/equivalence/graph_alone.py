"""The graph in a process of its own: whether it stands all that is tried, and refuses what the original refuses.

A graph can end its whole process: ONNX Runtime's GRU does on an empty batch, a division of whole numbers by 0.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.messages import Load
from mlpack_toolkit.converters.spec import BATCH, Signature
from mlpack_toolkit.converters.table import take
from mlpack_toolkit.converters.variant import ONNX
from mlpack_toolkit.runtimes.engine.rules import violations

from ..errors import ConversionError, ForgedError, ModelError
from ..original.worker import Limits
from .limits import without_empty
from .others import Spare
from .probes import Batch, Probes


def check_alone(graph: Artifact, signature: Signature, probes: Probes, scratch: Path, limits: Limits) -> Signature:
    """Asks the graph all batches that are tried, and one without rows. Returns the signature without empty dimensions
    on which the graph stops.

    Raises `ConversionError` where it ends its process, or answers what the original refuses and no rule forbids.
    """
    empty: list[str] = []
    with Spare(sys.executable, scratch, limits, Load(str(graph.path), ONNX)) as spare:
        spare.signature = signature
        for batch in _open(signature, (*probes.others, *_without_rows(signature, probes))):
            if batch.changes not in empty and not _stands(batch, spare):
                empty.append(batch.changes)
    return without_empty(signature, empty)


def begun(asked: Signature, proven: Signature) -> tuple[str, ...]:
    """A sentence for each dimension that begins at 1 because of its graph."""
    before = {each.name: each.least for each in asked.ranges}
    dims = [each.name for each in proven.ranges if each.least == 1 and not before.get(each.name, 0)]
    return tuple(
        f"The dimension {dim!r} begins at 1: the original answers at 0, and ONNX Runtime does not answer like it."
        for dim in dims
    )


def _without_rows(signature: Signature, probes: Probes) -> Iterable[Batch]:
    if signature.has_rows and 0 in signature.batch_sizes:
        rows = take(probes.rows, slice(0, 0), signature.batch_axes)
        yield Batch("batch of 0", rows, {}, changes=BATCH, value=0)


def _open(signature: Signature, batches: Iterable[Batch]) -> Iterable[Batch]:
    """The batches that no rule forbids, but those that the original was not asked."""
    for batch in batches:
        if batch.asked and next(violations(signature, batch.inputs), None) is None:
            yield batch


def _stands(batch: Batch, spare: Spare) -> bool:
    """Whether the graph refuses what the original refuses, and does not stop on an empty dimension.

    An answer, and a stop on other batches, is for the comparison to judge.
    """
    is_empty = batch.value == 0 and any(0 in values.shape for values in batch.inputs.values())
    try:
        spare.predict(batch.inputs)
    except ForgedError:
        raise
    except ModelError as error:
        if batch.refused or not spare.ended:
            return bool(batch.refused) or not is_empty
        if is_empty:
            return False
        raise ConversionError(
            f"ONNX Runtime ends its process on a batch of kind {batch.kind!r}, which the original answers ({error})"
        ) from error
    if batch.refused:
        raise ConversionError(
            f"the original refuses a batch of kind {batch.kind!r} ({batch.refused}), and the graph answers it: no rule "
            "on single inputs can say what is refused. Check it in code before the model, or give the sizes that the "
            "model takes (the option dynamic, as -O torch.dynamic=INPUT.AXIS:NAME[LEAST..MOST])"
        )
    return True
