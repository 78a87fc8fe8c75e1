"""What the original refuses and no rule forbids: the graph must refuse it, too.

The graph is asked in a process of its own, which a division of whole numbers by 0 ends.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from mlpack_toolkit.converters.messages import Load
from mlpack_toolkit.converters.spec import Signature, Table
from mlpack_toolkit.converters.variant import ONNX
from mlpack_toolkit.runtimes.engine.rules import violations

from ..errors import ConversionError, ForgedError, ModelError
from ..original.worker import Limits
from .others import Spare
from .probes import Batch
from .prove import Proven


def check_refused(proven: Proven, others: Iterable[Batch], scratch: Path, limits: Limits) -> None:
    """Nothing; raises `ConversionError` where the graph answers what the original refuses."""
    open_cases = tuple(_open(proven.signature, others))
    if not open_cases:
        return
    loading = Load(str(proven.model.path), ONNX)
    with Spare(sys.executable, scratch, limits, loading) as spare:
        spare.signature = proven.signature
        for batch in open_cases:
            _check(batch, spare.predict)


def _open(signature: Signature, others: Iterable[Batch]) -> Iterator[Batch]:
    for batch in others:
        if batch.refused and batch.asked and next(violations(signature, batch.inputs), None) is None:
            yield batch


def _check(batch: Batch, ask: Callable[[Table], Table]) -> None:
    try:
        ask(batch.inputs)
    except ForgedError:
        raise
    except ModelError:
        return
    raise ConversionError(
        f"the original refuses a batch of kind {batch.kind!r} ({batch.refused}), and the graph answers it: no rule on "
        "single inputs can say what is refused. Check it in code before the model, or give the sizes that the model "
        "takes (-O torch.dynamic=INPUT.AXIS:NAME[LEAST..MOST])"
    )
