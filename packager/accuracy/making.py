"""Makes a variant: the pass, the proof that it is one, the gate, and nodes put back where the user allows that."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.spec import Signature, Table
from mlpack_toolkit.runtimes.engine.rules import violations

from ..bundle.golden import GoldenCase, Tolerance
from ..equivalence.compared import compare_runner
from ..equivalence.limits import narrower
from ..equivalence.probes import Probes
from ..equivalence.prove import Proven
from ..equivalence.runners import Graph
from ..equivalence.session import Session, agreeing
from ..errors import ConversionError, DamagedError, MismatchError, MlpackError
from ..variants.spec import HALF, TOLERANCE, Kind, Made, NothingToGain, Work
from .asked import Asked
from .control import Attempt, distance, put_back
from .gate import HALF as HALF_METRIC
from .gate import SHARE, Gate, Judged, judge
from .own_metric import Ask
from .report import VariantReport
from .rows import Rows, check_apart, feeds_of, read_rows


@dataclass(frozen=True)
class Held:
    """A variant that passed. `rows`: those of its gate; None: it was held to `tolerances` on all probes."""

    made: Made
    signature: Signature
    report: VariantReport
    tolerances: Mapping[str, Tolerance]
    rows: Rows | None


Again = Callable[[Path], tuple[Artifact | None, tuple[str, ...]]]
"""Converts the model again into a folder, with mlpack's own operators; see `Work`."""


@dataclass(frozen=True)
class MadeOf:
    """What variants are made of. `cases`: the golden cases, which they must answer with finite numbers; `folder`: for
    their files, where the model cannot write."""

    proven: Proven
    probes: Probes
    cases: Sequence[GoldenCase]
    folder: Path
    ask: Ask
    again: Again


@dataclass(frozen=True)
class Making(MadeOf):
    """One variant in the making; `folder` is its own."""

    asked: Asked
    kind: Kind

    @property
    def parent(self) -> Graph:
        """The reference graph in ONNX Runtime."""
        return Graph("the parent", Session(self.proven.model.path, self.proven.signature))

    def sides(self, held: Held, threads: int) -> tuple[Session, Session]:
        """The parent and the variant on the variant's provider, to be measured."""
        provider, made = self.kind.provider, held.made
        parent = Session(self.proven.model.path, self.proven.signature, threads, provider)
        return parent, Session(made.artifact.path, held.signature, threads, provider, library=made.library)

    def held(self) -> Held:
        """The variant; `ConversionError` where it is none, `MismatchError` where it misses its gate."""
        if self.kind.held == TOLERANCE:
            return self._by_tolerance()
        rows = self.rows()
        calibration = read_rows(self.asked.calibration, self.proven.signature) if self.asked.calibration else None
        if calibration is not None:
            check_apart(calibration, rows)
        parent = self.parent

        def attempt(keep: frozenset[str]) -> Attempt[Made]:
            made = self.make(keep, calibration)
            return Attempt(made, self.opened(made))

        def judged(graph: Graph) -> Judged:
            return judge(self.gate(self.kind.held), parent, graph, rows.tables, self._ask)

        kept: Sequence[str] = ()
        tried = attempt(frozenset())
        found = judged(tried.graph)
        if not found.holds and self.asked.max_drop is not None:
            order = tried.made.changed
            kept, tried = put_back(order, attempt, lambda g: judged(g).holds, lambda g: distance(parent, g, rows))
            found = judged(tried.graph)
            check_is_one(self.kind, self.asked.name, self.proven.model, tried.made)
        if not found.holds:
            raise MismatchError(
                f"the variant {self.asked.name} is not good enough: {found.words}; give another kind, "
                "or put its worst nodes back (quantise.max_drop)",
                worst=[],
                gate=found.to_json(),
            )
        signature = self._in_reach(tried.graph)
        report = self.report(tried.made, {**found.to_json(), "source": rows.source, "sha256": rows.sha256}, kept)
        return Held(tried.made, signature, report, {}, rows)

    def make(self, keep: frozenset[str], calibration: Rows | None) -> Made:
        """One run of the pass in a folder of its own, proved to be a variant."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        tables = calibration.tables if calibration else ()
        work = Work(
            self.proven.model,
            self.proven.signature,
            self.folder,
            self.asked.block,
            keep,
            lambda: feeds_of(self.parent.session, tables),
            lambda: self.again(self.folder / "again"),
            self.asked.options,
            [case.rows for case in self.cases if not case.error],
        )
        made = self._passed(work)
        if not keep:
            check_is_one(self.kind, self.asked.name, self.proven.model, made)
        return made

    def _passed(self, work: Work) -> Made:
        """What the pass makes; an exception of onnx or numpy on an odd graph is a `ConversionError`."""
        try:
            return self.kind.make(work)
        except (NothingToGain, MlpackError, MemoryError, OSError):
            raise
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            raise ConversionError(f"the variant {self.asked.name} cannot be made of this graph: {said}") from error

    def opened(self, made: Made) -> Graph:
        """The variant in ONNX Runtime, on its provider."""
        signature = made.signature or self.proven.signature
        try:
            session = Session(made.artifact.path, signature, provider=self.kind.provider, library=made.library)
            session = agreeing(session, signature)
        except DamagedError as error:
            raise ConversionError(
                f"the variant {self.asked.name} is of no use here: {self.kind.provider} cannot run it ({error})"
            ) from error
        return Graph(f"the variant {self.asked.name}", session)

    def rows(self) -> Rows:
        """Those that the metric is taken on."""
        if self.asked.rows is not None:
            return read_rows(self.asked.rows, self.proven.signature)
        table, _, _ = self.probes.keep(self.probes.kinds == "example")
        return Rows((table,), self.proven.signature, "the example")

    def gate(self, held: str) -> Gate:
        """What it is held to."""
        if held == HALF and not self.asked.metric:
            return Gate(HALF_METRIC.name, SHARE)
        assert self.asked.limit is not None
        return Gate(self.asked.metric, self.asked.limit, self.asked.output)

    def _ask(self, want: Table, got: Table) -> Any:
        return self.ask(self.asked.metric, want, got)

    def _in_reach(self, graph: Graph) -> Signature:
        """The signature within which all that was tried is answered with finite numbers where the original's are.

        `MismatchError` where there is none that takes the example.
        """
        others = (
            GoldenCase("", batch.kind, batch.inputs, batch.answers) for batch in self.probes.others if batch.answers
        )
        cases = (*self.cases, *others)
        for signature in (graph.signature, *narrower(graph.signature)):
            example = [case for case in self.cases if case.probe == "example"]
            if all(takes(signature, case) for case in example) and all_finite(graph, signature, cases):
                return replace(signature, inputs=_all_inputs(self.proven.signature, signature))
        raise MismatchError(
            f"the variant {self.asked.name} answers rows of the example with numbers that are not finite, "
            "where the parent's are: give another kind",
            worst=[],
        )

    def _by_tolerance(self) -> Held:
        made = self.make(frozenset(), None)
        graph = self.opened(made)
        found = compare_runner(graph, self.probes, self.proven.report.tolerances)
        if not found.equal:
            raise MismatchError(
                f"the variant {self.asked.name} does not answer like the original", worst=list(found.worst)
            )
        errors = {kind: {n: e.to_json() for n, e in outputs.items()} for kind, outputs in found.errors.items()}
        report = self.report(made, {}, (), errors)
        return Held(made, made.signature or self.proven.signature, report, found.tolerances, None)

    def report(
        self, made: Made, gate: Mapping[str, Any], kept: Sequence[str], probes: Mapping[str, Any] | None = None
    ) -> VariantReport:
        """What is known of it; `kept`: nodes that were put back."""
        parent = self.proven.model
        nodes = self.kind.count(parent, made.artifact)
        provider = made.provider or self.kind.provider
        about = (self.asked.name, self.kind.name, provider, parent, made.artifact, nodes, len(made.changed))
        return VariantReport(*about, made.recipe, gate, tuple(kept), probes or {}, made.inside)


def _all_inputs(parent: Signature, found: Signature) -> Any:
    """The inputs of the parent, those that the variant reads with the variant's rules."""
    own = {spec.name: spec for spec in found.inputs}
    return tuple(own.get(spec.name, spec) for spec in parent.inputs)


def check_is_one(kind: Kind, name: str, parent: Artifact, made: Made) -> None:
    """Raises `ConversionError` for a variant that is its parent under another name."""
    nodes = kind.count(parent, made.artifact)
    if not made.changed or not sum(nodes.values()):
        raise ConversionError(
            f"the variant {name} would be its parent under another name: no node was {kind.changes}, because the graph "
            f"has none of those that {kind.name} looks for ({kind.seeks}); leave it out"
        )
    if kind.is_smaller and made.artifact.size >= parent.size:
        raise ConversionError(
            f"the variant {name} gains nothing: {len(made.changed)} nodes were {kind.changes}, and its files have "
            f"{made.artifact.size:,} bytes, its parent's {parent.size:,}; leave it out"
        )


def takes(signature: Signature, case: GoldenCase) -> bool:
    """Whether the rules let the rows of a case pass."""
    return next(violations(signature, case.rows), None) is None


def all_finite(graph: Graph, signature: Signature, cases: Sequence[GoldenCase]) -> bool:
    """Whether each case that the rules let pass is answered with finite numbers where its own are."""
    return all(is_finite(graph, case) for case in cases if not case.error and takes(signature, case))


def is_finite(graph: Graph, case: GoldenCase) -> bool:
    """Whether the answers have the shapes of the recorded ones, and are finite where these are."""
    try:
        got = graph.run(case.rows)
    except MismatchError:
        return False
    for name, want in case.answers.items():
        if got[name].shape != want.shape:
            return False
        if want.dtype.kind == "f" and (np.isfinite(want) & ~np.isfinite(got[name])).any():
            return False
    return True
