"""The cheapest graph that answers like the original, and the proof."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlpack_toolkit.converters._graph.builder import SINGLE_OUTPUTS
from mlpack_toolkit.converters._worker.probes import LADDER
from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.spec import TENSOR, Axes, Signature, Table, TensorSpec
from mlpack_toolkit.converters.table import rows_of, take
from mlpack_toolkit.runtimes.engine.agreement import check_agreement
from mlpack_toolkit.runtimes.engine.errors import Damaged
from mlpack_toolkit.runtimes.engine.rules import refused_rows
from mlpack_toolkit.runtimes.engine.schema import listing, text

from ..bundle.golden import Tolerance
from ..errors import ConversionError, DamagedError, MismatchError
from ..original.replies import odd
from .batches import as_wholes, by_kind, hangs_on_batch, refuse_hanging
from .comparison import WORST_SHOWN, Comparison, Errors, compare, tolerances, worst
from .probes import Probes
from .refusals import with_rules
from .report import VerificationReport
from .session import Session

MANY = 4096
SINGLES = 12
MOST_BYTES = 64 << 20
"""Of the inputs of a large batch, where a row is large."""
ROOM = 0.5
"""The most of the tolerance that a form may use where a finer one is left to try: rows that are not probed use more.

Measured on 129 kinds of model with 20 000 fresh rows each: of the four that used more, three had rows beyond it.
"""


@dataclass(frozen=True)
class Wanted:
    """What the user asked of the proof; None: the defaults of the type."""

    precision: str = "auto"
    rtol: float | None = None
    atol: float | None = None


_OTHER_PRECISION = "leave out --precision, and mlpack takes one that passes; or keep the rows with --keep-failed"
_KEEP = "keep the graphs and the rows with --keep-failed, and report a difference that looks wrong"


@dataclass(frozen=True)
class Proven:
    """A graph with the signature that it was proved for."""

    model: Artifact
    signature: Signature
    precision: str
    report: VerificationReport


def prove(
    convert: Callable[[str], Artifact], signature: Signature, probes: Probes, precisions: Sequence[str], wanted: Wanted
) -> Proven:
    """The first precision that passes with room to spare, else the last that passes.

    `MismatchError` with the worst rows, or `ConversionError`, where none does. Where nothing else differs than numbers
    that are very large, the last precision passes with a limit on them.
    """
    ruled = with_rules(signature, probes)
    asked = precisions if wanted.precision == "auto" else (wanted.precision,)
    failed: dict[str, str] = {}
    attempts: list[Proven] = []
    tight: Proven | None = None
    refusal: ConversionError | MismatchError | None = None
    for real in asked:
        try:
            attempt = _attempt(convert(real), ruled.in_precision(real), real, probes, wanted, failed)
        except (ConversionError, MismatchError) as error:
            failed[real], refusal = str(error), error
            continue
        if attempt.report.equal:
            used = attempt.report.tolerance_used
            if used <= ROOM or real == asked[-1]:
                return attempt
            failed[real], tight = f"it passes, but with {used:.0%} of the tolerance used: too near to it", attempt
            continue
        attempts.append(attempt)
        failed[real] = f"{attempt.report.mismatches} of {attempt.report.rows} probe rows differ"
    found = (_limited(attempts[-1], probes, wanted, failed) if attempts else None) or tight
    if found is not None:
        return found
    if not attempts:
        raise refusal or ConversionError("the model offers no precision to convert to")
    last = Session(attempts[-1].model.path, attempts[-1].signature)
    refuse_hanging(last, probes, in_reach(last.signature, probes), attempts[-1].report.tolerances)
    return _fail(attempts[-1], _KEEP if set(asked) >= set(precisions) else _OTHER_PRECISION)


def _attempt(
    model: Artifact, signature: Signature, real: str, probes: Probes, wanted: Wanted, failed: dict[str, str]
) -> Proven:
    try:
        session = Session(model.path, signature)
        check_agreement(session, signature)
    except (DamagedError, Damaged) as error:
        raise ConversionError(f"the converter gave no graph of this model: {error}") from error
    kept = in_reach(session.signature, probes)
    rows, want, positions = probes.keep(kept)
    kinds = probes.kinds[positions]
    single = _single_outputs(session)
    allowed = tolerances(signature, want, kinds == "example", wanted.rtol, wanted.atol, single)
    got = session.run(rows)
    comparison = compare(want, got, kinds, allowed, probes.axes)
    errors = dict(comparison.errors)
    if session.signature.has_rows:
        alone = 0 if hangs_on_batch(probes, allowed) else SINGLES
        for kind, part in _batches(session, rows, want, allowed, alone, probes.axes):
            errors[kind] = part.errors[kind]
        errors |= by_kind(session, probes, kept, allowed)
    tried = as_wholes(session, probes, allowed)
    errors |= tried.errors
    forbidden = Counter(str(k) for k in probes.kinds[np.flatnonzero(~kept | _mask(probes))]) + tried.refused
    report = VerificationReport(
        real,
        "CPUExecutionProvider",
        allowed,
        wanted.rtol is not None or wanted.atol is not None,
        errors,
        dict(forbidden),
        probes.known,
        {p: reason for p, reason in failed.items() if p != real},
        (*worst(rows, want, got, kinds, comparison.differs, probes.axes), *tried.worst)[:WORST_SHOWN],
    )
    return Proven(model, session.signature, real, report)


def _single_outputs(session: Session) -> list[str]:
    """The outputs that the converter says it computes in single precision."""
    try:
        found = json.loads(session.metadata.get(SINGLE_OUTPUTS, "[]"))
        listing(text())(found, "it")
    except (ValueError, RecursionError) as error:
        raise odd(f"{SINGLE_OUTPUTS} in its graph is no list of outputs") from error
    return [str(name) for name in found]


def _mask(probes: Probes) -> np.ndarray[Any, Any]:
    mask = np.zeros(probes.count, bool)
    mask[list(probes.refused)] = True
    return mask


def in_reach(signature: Signature, probes: Probes) -> np.ndarray[Any, Any]:
    """Which probes the signature's rules let pass, `bool [N]`."""
    return ~refused_rows(signature, probes.rows, probes.count)


def _batches(
    session: Session, rows: Table, want: Table, allowed: dict[str, Tolerance], most: int, axes: Axes | None
) -> Iterator[tuple[str, Comparison]]:
    """The same rows in batches of other sizes and in another order: the answers may not depend on it.

    `most`: how many of them are asked alone.
    """
    count = rows_of(want, axes)
    singles = np.unique(np.linspace(0, count - 1, min(most, count)).astype(int))
    if singles.size:
        alone = [session.run(take(rows, [i], axes)) for i in singles]
        stacked = {name: _stacked([a[name] for a in alone], 0 if axes is None else axes.get(name)) for name in want}
        kinds = _kind("batch of 1", len(singles))
        yield "batch of 1", compare(take(want, singles, axes), stacked, kinds, allowed, axes)
    order = (np.random.default_rng(0).permutation(max(count, MANY)) % count)[: _many(rows, count)]
    many = session.run(take(rows, order, axes))
    kinds = _kind("permuted batch", len(order))
    yield "permuted batch", compare(take(want, order, axes), many, kinds, allowed, axes)
    empty = take(want, slice(0, 0), axes)
    yield "batch of 0", _empty(empty, session.run(take(rows, slice(0, 0), axes)))


def _many(rows: Table, count: int) -> int:
    """How many rows a large batch has: `MANY`, of images no more than what fits in `MOST_BYTES`."""
    each = sum(values.nbytes for values in rows.values()) / count
    return int(min(MANY, max(count, MOST_BYTES // max(each, 1))))


def _stacked(parts: Sequence[np.ndarray[Any, Any]], axis: int | None) -> np.ndarray[Any, Any]:
    """The parts one below the other; nothing where their shapes differ, which no answer's is equal to."""
    if axis is None or any(part.ndim <= axis for part in parts):
        return np.empty(0)
    alike = len({part.shape[:axis] + part.shape[axis + 1 :] for part in parts}) == 1
    return np.concatenate(parts, axis) if alike else np.empty(0)


def _kind(name: str, rows: int) -> np.ndarray[Any, Any]:
    return np.full(rows, name, object)


def _empty(want: Table, got: Table) -> Comparison:
    """A batch of no rows counts as one row that differs where a shape does."""
    errors = {n: Errors(1, int(got[n].shape != w.shape)) for n, w in want.items()}
    return Comparison({"batch of 0": errors}, np.array([any(e.mismatches for e in errors.values())]))


def _limited(attempt: Proven, probes: Probes, wanted: Wanted, failed: dict[str, str]) -> Proven | None:
    """The same graph with a limit on large numbers, where nothing else differs and the example stays below it."""
    for signature in _narrower(attempt.signature):
        kept = in_reach(signature, probes)
        if not kept[probes.kinds == "example"].all():
            continue
        again = _attempt(attempt.model, signature, attempt.precision, probes, wanted, failed)
        if again.report.equal:
            return again
    return None


def _narrower(signature: Signature) -> Iterator[Signature]:
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


def _fail(attempt: Proven, following: str) -> Proven:
    report = attempt.report
    kinds = {k: max((e.mismatches for e in v.values()), default=0) for k, v in report.probes.items()}
    where = ", ".join(f"{n} of kind {k!r}" for k, n in kinds.items() if n)
    raise MismatchError(
        f"the graph does not answer like the original on {report.mismatches} of {report.rows} probe rows ({where}): "
        f"{following}",
        precision=report.precision,
        worst=list(report.worst),
        verification=report.to_json(),
    )
