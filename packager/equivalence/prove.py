"""The cheapest graph that answers like the original, and the proof."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mlpack_toolkit.converters._graph.builder import SINGLE_OUTPUTS
from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.spec import Signature
from mlpack_toolkit.runtimes.engine.schema import listing, text

from ..bundle.golden import Tolerance
from ..errors import ConversionError, DamagedError, MismatchError
from ..original.replies import odd
from .batches import refuse_hanging
from .compared import compare_runner
from .comparison import tolerances
from .limits import narrower
from .noise import loosened
from .probes import Probes
from .refusals import with_rules
from .report import VerificationReport
from .runners import Graph
from .session import Session, agreeing

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

    @property
    def own_tolerance(self) -> bool:
        """Whether the user gave a tolerance."""
        return self.rtol is not None or self.atol is not None


_OTHER_PRECISION = "leave out --precision, and mlpack takes one that passes; or keep the rows with --keep-failed"
_KEEP = "keep the graphs and the rows with --keep-failed, and report a difference that looks wrong"


@dataclass(frozen=True)
class Proven:
    """A graph with the signature that it was proved for."""

    model: Artifact
    signature: Signature
    precision: str
    report: VerificationReport


Checked = Callable[[Artifact, Signature], Signature]


def _as_it_is(model: Artifact, signature: Signature) -> Signature:
    return signature


def prove(
    convert: Callable[[str], Artifact],
    signature: Signature,
    probes: Probes,
    precisions: Sequence[str],
    wanted: Wanted,
    checked: Checked = _as_it_is,
) -> Proven:
    """The first precision that passes with room to spare, else the last that passes.

    `checked(graph, signature)`: asks a graph before it is compared; the signature that holds for it.
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
            model = convert(real)
            attempt = _attempt(model, checked(model, ruled.in_precision(real)), real, probes, wanted, failed)
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
    last = attempts[-1]
    refuse_hanging(_opened(last.model, last.signature), probes, last.report.tolerances)
    return _fail(last, _KEEP if set(asked) >= set(precisions) else _OTHER_PRECISION)


def _attempt(
    model: Artifact, signature: Signature, real: str, probes: Probes, wanted: Wanted, failed: Mapping[str, str]
) -> Proven:
    graph = _opened(model, signature)
    found = compare_runner(graph, probes, _allowed(graph, signature, probes, wanted))
    report = VerificationReport(
        real,
        graph.session.provider,
        found.tolerances,
        wanted.own_tolerance,
        found.errors,
        found.refused,
        probes.known,
        {p: reason for p, reason in failed.items() if p != real},
        found.worst,
        noise={**({"example": probes.noise} if probes.noise else {}), **found.noise},
    )
    return Proven(model, graph.signature, real, report)


def _opened(model: Artifact, signature: Signature) -> Graph:
    """The graph in ONNX Runtime; `ConversionError` where it is not one of this model."""
    try:
        return Graph("the graph", agreeing(Session(model.path, signature), signature))
    except DamagedError as error:
        raise ConversionError(f"the converter gave no graph of this model: {error}") from error


def _allowed(graph: Graph, signature: Signature, probes: Probes, wanted: Wanted) -> dict[str, Tolerance]:
    """What each float output of the graph may differ by from the reference answers."""
    _, want, positions = probes.keep(probes.in_reach(graph.signature))
    example = probes.kinds[positions] == "example"
    found = tolerances(signature, want, example, wanted.rtol, wanted.atol, _single_outputs(graph.session))
    return loosened(found, probes.noise, want)


def _single_outputs(session: Session) -> list[str]:
    """The outputs that the converter says it computes in single precision."""
    try:
        found = json.loads(session.metadata.get(SINGLE_OUTPUTS, "[]"))
        listing(text())(found, "it")
    except (ValueError, RecursionError) as error:
        raise odd(f"{SINGLE_OUTPUTS} in its graph is no list of outputs") from error
    return [str(name) for name in found]


def _limited(attempt: Proven, probes: Probes, wanted: Wanted, failed: Mapping[str, str]) -> Proven | None:
    """The same graph with a limit on large numbers, where nothing else differs and the example stays below it."""
    for signature in narrower(attempt.signature):
        kept = probes.in_reach(signature)
        if not kept[probes.kinds == "example"].all():
            continue
        again = _attempt(attempt.model, signature, attempt.precision, probes, wanted, failed)
        if again.report.equal:
            return again
    return None


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
