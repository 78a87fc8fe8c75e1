"""The variant `compiled`: the same model with mlpack's own operators for trees, held like the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.messages import Convert, Converted
from mlpack_toolkit.converters.variant import Variant
from mlpack_toolkit.runtimes.server.manifest import LIBRARY

from ..bundle.facts import Proof
from ..equivalence.compared import compare_runner
from ..equivalence.probes import Probes
from ..equivalence.prove import Proven
from ..equivalence.report import VerificationReport
from ..equivalence.runners import Graph
from ..equivalence.session import Session, agreeing
from ..errors import MismatchError
from ..kernels import library
from ..original.graphs import graph_in
from ..original.source import Source
from ..original.worker import Worker
from ..request import Progress
from .bench import THREADS, sizes
from .side_by_side import Beside, beside

NAME = "compiled"
REPORT, FOLDER = f"reports/{NAME}.json", f"model/{NAME}"
ENOUGH, MANY = 1.2, 64
"""The speed-up that is worth a native library, and the batch size from which it must be reached."""


@dataclass(frozen=True)
class Compiled:
    """The proved variant. `latency`: see `beside`; no part of the identity."""

    variant: Variant
    report: VerificationReport
    latency: tuple[Beside, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The object that `mlpack build --json` prints."""
        return {"variant": NAME, "verification": self.report.to_json(), "latency": list(self.latency)}

    @property
    def proof(self) -> Proof:
        """The proof, as the manifest has it."""
        return Proof(REPORT, self.report.tolerances, self.report.user_tolerance)


Outcome = tuple[tuple[Compiled, ...], tuple[str, ...], tuple[str, ...]]
"""The variants that the bundle gets, notes for its report on what is left out, and remarks for the user."""


@dataclass(frozen=True)
class Making:
    """What the variant is made of and where.

    `source`, `worker`: the model's files, and its process, which writes into `scratch`. `folder`: for the graph, where
    the process cannot write. `most`: bytes of the graph's numbers.
    """

    source: Source
    worker: Worker
    scratch: Path
    folder: Path
    most: int
    progress: Progress


def make_compiled(making: Making, proven: Proven, probes: Probes, seconds: float) -> Outcome:
    """The variant, where the model has something for it: proved, and measured for `seconds` per batch size.

    Raises `MissingToolError` without a compiler, and `MismatchError` where the variant does not answer like the
    original on every probe.
    """
    making.progress(f"making the variant {NAME}, and comparing")
    own = library()
    found, artifact = _converted(making, proven.precision)
    if artifact is None:
        why = "; ".join(found.left_out) or "the model has no sum of trees for mlpack's operators"
        return (), (f"There is no variant {NAME}, and the reference answers: {why}.",), ()
    sessions = [Session(artifact.path, proven.signature, threads, library=own.path) for threads in (0, THREADS)]
    report = _proved(sessions[0], proven, probes)
    recipe = {"kind": NAME, LIBRARY: own.sha256, "sums": found.kernels}
    variant = Variant(NAME, artifact, proven.signature, proven.precision, proven.precision, recipe=recipe)
    making.progress(f"measuring the variant {NAME} beside the reference")
    rows, _, _ = probes.keep(probes.kinds == "example")
    plain = Session(proven.model.path, proven.signature, THREADS)
    latency = beside(plain, sessions[1], rows, seconds, sizes(proven.signature, rows))
    left_out = tuple(f"The variant {NAME} keeps a sum of trees in ONNX Runtime: {reason}." for reason in found.left_out)
    return (Compiled(variant, report, latency),), left_out, _slow(latency)


def _converted(making: Making, real: str) -> tuple[Converted, Artifact | None]:
    """The graph with mlpack's operators; None where it has none of them."""
    out = making.scratch / f"model.{NAME}.onnx"
    found = making.worker.call(Convert(real, str(out), kernels=True))
    if found.as_it_came or not found.kernels:
        return found, None
    return found, graph_in(out, making.folder, making.source, making.most)


def _proved(session: Session, proven: Proven, probes: Probes) -> VerificationReport:
    graph = Graph(f"the variant {NAME}", agreeing(session, proven.signature))
    compared = compare_runner(graph, probes, proven.report.tolerances)
    report = replace(proven.report, probes=compared.errors, worst=compared.worst, tried={}, again=None)
    if not report.equal:
        raise MismatchError(
            f"the variant {NAME} does not answer like the original on {report.mismatches} of {report.rows} probe rows: "
            "build without it, and report the model and its example",
            worst=list(report.worst),
            verification=report.to_json(),
        )
    return report


def _slow(found: Sequence[Beside]) -> tuple[str, ...]:
    """A sentence where the variant is not worth its library on this machine."""
    many = [each["speedup"] for each in found if each["batch"] >= MANY] or [each["speedup"] for each in found]
    if max(many) >= ENOUGH:
        return ()
    shown = ", ".join(f"{each['speedup']:g}x at batch {each['batch']:g}" for each in found)
    return (f"the variant {NAME} is hardly faster than the reference on this machine ({shown}): build without it",)
