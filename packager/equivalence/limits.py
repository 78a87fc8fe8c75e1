"""Signatures with limits on very large numbers, for a graph that differs there and nowhere else."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from mlpack_toolkit.converters._worker.probes import LADDER
from mlpack_toolkit.converters._worker.tensor_probes import free_dims
from mlpack_toolkit.converters.spec import TENSOR, Range, Signature, TensorSpec


def narrower(signature: Signature) -> Iterator[Signature]:
    """The signature with a limit on its floats, ever lower; of tensors first without empty ones, and without NaN."""
    if signature.takes_tensors:
        full = without_empty(signature, free_dims(signature.inputs))
        bare, least = _bare(signature), _bare(full)
        yield from (full, bare, least)
        yield from (_with_limit(each, limit) for limit in reversed(LADDER) for each in (signature, bare, least))
    else:
        yield from (_with_limit(signature, limit) for limit in reversed(LADDER))


def without_empty(signature: Signature, dims: Collection[str]) -> Signature:
    """The signature in which these dimensions have a size of 1 at least."""
    ranges = {each.name: each for each in signature.ranges}
    found = {dim: ranges.get(dim, Range(dim)) for dim in dims}
    ranges |= {dim: replace(each, least=max(1, each.least)) for dim, each in found.items()}
    return replace(signature, ranges=tuple(ranges.values()))


def _bare(signature: Signature) -> Signature:
    return replace(signature, inputs=tuple(map(_without_nan, signature.inputs)))


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
