"""Signatures with limits on very large numbers, for a graph that differs there and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mlpack_toolkit.converters._worker.probes import LADDER
from mlpack_toolkit.converters.spec import TENSOR, Signature, TensorSpec


def narrower(signature: Signature) -> Iterator[Signature]:
    """The signature with a limit on its floats, ever lower; of tensors, which no probe says of, first without NaN."""
    if signature.takes_tensors:
        bare = replace(signature, inputs=tuple(map(_without_nan, signature.inputs)))
        yield bare
        yield from (_with_limit(each, limit) for limit in reversed(LADDER) for each in (signature, bare))
    else:
        yield from (_with_limit(signature, limit) for limit in reversed(LADDER))


def _without_nan(spec: TensorSpec) -> TensorSpec:
    return spec.with_cells(nullable=False, kind=TENSOR) if "float" in spec.dtype else spec


def _with_limit(signature: Signature, limit: float) -> Signature:
    def narrowed(spec: TensorSpec) -> TensorSpec:
        if "float" not in spec.dtype:
            return spec
        least = limit if spec.limit is None else min(spec.limit, limit)
        found = spec.with_cells(limit=least, nullable=spec.nullable, features=tuple(map(narrowed, spec.features)))
        return found if spec.cells else found.with_cells(kind=TENSOR)

    return replace(signature, inputs=tuple(map(narrowed, signature.inputs)))
