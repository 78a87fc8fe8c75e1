"""From what the original refuses of tensors to rules: numbers and sizes, whose bounds are searched with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from mlpack_toolkit.converters._worker.probes import LADDER
from mlpack_toolkit.converters._worker.tensor_probes import (
    base_of,
    bounds_of,
    filled,
    free_dims,
    largest_of,
    resized,
    size_of,
)
from mlpack_toolkit.converters.spec import INTEGERS, REALS, TENSOR, Range, Signature, Table, TensorSpec

from ..errors import ForgedError, ModelError
from .others import NotAsked
from .probes import Batch

Ask = Callable[[Table], Table]


def bounded(signature: Signature, rows: Table, ask: Ask) -> Signature:
    """The signature with the least and the most whole number that each input takes, and the sizes of each dimension."""
    base = base_of(signature, rows)
    try:
        inputs = tuple(_bounded(signature, spec, base, ask) for spec in signature.inputs)
        return replace(signature, inputs=inputs, ranges=tuple(_ranges(signature, base, ask)))
    except NotAsked:
        return signature


def _bounded(signature: Signature, spec: TensorSpec, base: Table, ask: Ask) -> TensorSpec:
    own = base[spec.name]
    if spec.dtype not in INTEGERS or not own.size:
        return spec

    def takes(value: int) -> bool:
        return _answers(signature, ask, {**base, spec.name: filled(spec, own.shape, value)})

    low, high = bounds_of(spec.dtype)
    inside = int(own.reshape(-1)[0])
    if not takes(inside):
        return spec
    least, most = _last(takes, inside, low), _last(takes, inside, high)
    if least is None and most is None:
        return spec
    return spec.with_cells(least=least, most=most, nullable=spec.nullable, kind=TENSOR)


def _ranges(signature: Signature, base: Table, ask: Ask) -> Iterable[Range]:
    """Of dimensions that take one size more, for one that takes only multiples has no range."""
    for dim in free_dims(signature.inputs):
        size = size_of(signature.inputs, base, dim)

        def takes(other: int, dim: str = dim) -> bool:
            return _answers(signature, ask, resized(signature.inputs, base, {dim: other}))

        given = next((each for each in signature.ranges if each.name == dim), Range(dim))
        if not size or not takes(size + 1):
            found = given
        else:
            least = _last(takes, size, 0)
            most = _last(takes, size + 1, 2 * size + 1)
            found = Range(dim, max(given.least, least or 0), _least_of(given.most, most))
        if found != Range(dim):
            yield found


def _least_of(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _answers(signature: Signature, ask: Ask, batch: Table) -> bool:
    """Whether the original answers, with as many dimensions as the signature says."""
    try:
        answers = ask(batch)
    except (ForgedError, NotAsked):
        raise
    except ModelError:
        return False
    return all(answers[t.name].ndim == len(t.shape) for t in signature.outputs)


def _last(takes: Callable[[int], bool], inside: int, end: int) -> int | None:
    """The last number towards `end` that is taken; None where the end itself is. Steps double, then halve."""
    if takes(end):
        return None
    sign = 1 if end > inside else -1
    good, step = inside, 1
    while good + sign * step != end and sign * (good + sign * step) < sign * end and takes(good + sign * step):
        good, step = good + sign * step, 2 * step
    bad = sign * min(sign * end, sign * (good + sign * step))
    while abs(bad - good) > 1:
        middle = good + (bad - good) // 2
        good, bad = (middle, bad) if takes(middle) else (good, middle)
    return good


def ruled(signature: Signature, others: Iterable[Batch]) -> Signature:
    """The signature with a rule for every float that the original refuses in a whole input."""
    refused = [batch for batch in others if batch.refused]
    return replace(signature, inputs=tuple(_ruled(spec, refused) for spec in signature.inputs))


def _ruled(spec: TensorSpec, refused: Iterable[Batch]) -> TensorSpec:
    if spec.dtype not in REALS:
        return spec
    values = [batch.value for batch in refused if batch.changes == spec.name and isinstance(batch.value, float)]
    nullable = spec.nullable and not any(np.isnan(values))
    large = min((abs(value) for value in values if abs(value) > 1), default=None)
    if large is None:
        return spec if nullable == spec.nullable else spec.with_cells(nullable=nullable, kind=TENSOR)
    steps = (*(step for step in LADDER if step < large), *([largest_of(spec.dtype)] if large == np.inf else []))
    return spec.with_cells(nullable=nullable, limit=max(steps, default=None), kind=TENSOR)
