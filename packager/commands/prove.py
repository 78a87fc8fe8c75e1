"""`mlpack prove`: equivalence and latency on providers of this machine, as evidence of the bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.plugin import Options
from mlpack_toolkit.converters.spec import Table
from mlpack_toolkit.runtimes.server.manifest import REFERENCE

from ..bundle.proofs_page import write_page
from ..bundle.reader import Bundle, check_files, open_bundle
from ..equivalence.placed import Placed
from ..equivalence.runners import Graph, Original, Runner
from ..equivalence.session import session_of
from ..equivalence.side_by_side import RECORDED, Apart, Pair, side_by_side
from ..errors import LatencyError, MismatchError, UsageError
from ..latency.curve import FIRST, Curve, curve_of
from ..latency.limits import NONE, Limits
from ..latency.state import observed
from ..providers import load
from ..providers.spec import Provider
from .bench import THREADS, check_gate, example_rows, latency_report, measure_session, sizes
from .proving import answered, on_cpu, placed_in, where, written
from .verify import replay_held

KIND = "prove"
BESIDE = "cpu"
"""The provider beside which every other one is shown."""
Progress = Callable[[str], None]


@dataclass(frozen=True)
class ProveRequest:
    """`providers`, `variants`: their names. `seconds`: for each batch size. `rows`: of a gate. `original`: runs the
    original again, with its interpreter, trust and options."""

    providers: Sequence[str]
    variants: Sequence[str] = (REFERENCE,)
    seconds: float = 0.5
    limits: Limits = NONE
    rows: Path | None = None
    original: tuple[str, Sequence[str], Options] | None = None


def prove_bundle(folder: Path, request: ProveRequest, progress: Progress = lambda step: None) -> dict[str, Any]:
    """The facts of the proofs, each of which is a file of the bundle's evidence.

    Raises `MissingToolError` where a provider is absent or does not run the whole graph, `MismatchError` where an
    answer differs, `LatencyError` where a limit is missed: then the proofs are written all the same, as they are true.
    """
    providers = _providers(request)
    request.limits.check_measured(request.providers, "prove")
    bundle = open_bundle(folder)
    progress("checking every file's digest")
    added = check_files(bundle)
    rows = example_rows(bundle)
    proofs: list[dict[str, Any]] = []
    for variant in request.variants:
        proofs += _Proving(bundle, request, variant, rows, progress).proofs(providers)
    missed = [proof["missed"] for proof in proofs if "missed" in proof]
    page = write_page(bundle)
    if missed:
        raise LatencyError(
            "; ".join(each["message"] for each in missed), missed=missed, proofs=[_place(proof) for proof in proofs]
        )
    return {
        "bundle": str(folder),
        "identity": bundle.identity,
        "files": len(bundle.manifest.files),
        "evidence": {"files": len(bundle.evidence), "added": list(added)},
        "proofs": proofs,
        **({"page": page} if page else {}),
    }


def _providers(request: ProveRequest) -> list[Provider]:
    for names, what in ((request.providers, "provider"), (request.variants, "variant")):
        if twice := next((name for name in names if list(names).count(name) > 1), ""):
            raise UsageError(f"the {what} {twice} was named twice: name each once")
    return [load(name) for name in request.providers]


def _place(proof: Mapping[str, Any]) -> str:
    return str(proof.get("file") or proof["not_written"])


@dataclass(frozen=True)
class _Proving:
    """The proofs of one variant."""

    bundle: Bundle
    request: ProveRequest
    variant: str
    rows: Table
    progress: Progress

    def proofs(self, providers: Sequence[Provider]) -> list[dict[str, Any]]:
        """One for each provider; what each of them ran is counted before anything is measured."""
        nodes = {each.name: self._placed(each) for each in providers}
        apart = self._side_by_side(providers)
        replays = {each.name: self._replayed(each, apart) for each in providers}
        cpu = self._measured(load(BESIDE))
        measured = {each.name: cpu if each.name == BESIDE else self._measured(each) for each in providers}
        found = []
        for each in providers:
            facts = {
                **where(self.bundle, each, self.variant),
                "nodes": dict(nodes[each.name].nodes),
                **replays[each.name],
                **self._apart(each.name, apart),
                **measured[each.name],
                **({} if each.name == BESIDE else {"cpu": cpu}),
            }
            missed = self._missed(each, facts)
            facts |= {"missed": missed} if missed else {}
            found.append({**facts, **written(self.bundle, KIND, facts)})
        return found

    def _placed(self, provider: Provider) -> Placed:
        self.progress(f"counting the nodes of {self.variant} on {provider.name}")
        return placed_in(self.bundle, provider, self.variant)

    def _graph(self, provider: Provider, threads: int = 0) -> Graph:
        variant = on_cpu(self.bundle, self.variant) if provider.name == BESIDE else self.variant
        return Graph(provider.name, session_of(self.bundle, threads, provider.title, variant))

    def _side_by_side(self, providers: Sequence[Provider]) -> Mapping[Pair, Apart]:
        """The original's recorded answers, the original again where that was asked for, the CPU, the providers."""
        self.progress(f"comparing the answers of {self.variant}")
        others = [each for each in providers if each.name != BESIDE]
        graphs = [self._graph(each) for each in (load(BESIDE), *others)]
        with self._again() as again:
            runners: list[Runner] = [*again, *graphs]
            return side_by_side(runners, answered(self.bundle, graphs[0].session))

    @contextmanager
    def _again(self) -> Iterator[list[Runner]]:
        with ExitStack() as stack:
            if self.request.original is None:
                yield []
                return
            from ..original.reload import original_worker

            worker, _, scratch = stack.enter_context(original_worker(self.bundle, *self.request.original))
            yield [Original(worker, scratch, self.bundle.signature)]

    def _replayed(self, provider: Provider, apart: Mapping[Pair, Apart]) -> dict[str, Any]:
        """How many golden cases were answered within the proof; a difference says how large it is over all cases."""
        self.progress(f"replaying the golden cases of {self.variant} on {provider.name}")
        gates: dict[str, Any] = {}
        try:
            count = replay_held(self.bundle, provider.title, self.variant, gates, self.request.rows)
        except MismatchError as error:
            error.facts |= {"provider": provider.name, "variant": self.variant, **self._apart(provider.name, apart)}
            raise
        return {"golden": count, "gates": gates}

    def _apart(self, name: str, apart: Mapping[Pair, Apart]) -> dict[str, Any]:
        """By the name of every other runner, how far this one is from it; and its largest differences by output."""
        beside = {(set(pair) - {name}).pop(): found for pair, found in apart.items() if name in pair}
        cpu = beside.get(BESIDE)
        return {
            "from_original": dict(beside[RECORDED].largest),
            **({"from_cpu": dict(cpu.largest)} if cpu else {}),
            "apart": {other: found.to_json() for other, found in beside.items()},
        }

    def _measured(self, provider: Provider) -> dict[str, Any]:
        """The curve of latency and throughput on one thread of the processor, and the machine's state meanwhile."""
        self.progress(f"measuring {self.variant} on {provider.name}")
        session = self._graph(provider, THREADS).session
        fitting = sizes(self.bundle.signature, self.rows)
        batches = [n for n in FIRST if n in self.bundle.signature.batch_sizes] or fitting[:1]
        seconds, limit = self.request.seconds, self.request.limits.of(provider.name)
        with observed() as state:
            first = measure_session(session, self.rows, seconds, batches if len(fitting) > 1 else fitting)
            curve: Curve = curve_of(session, self.rows, first, seconds, limit)
        return {"threads": THREADS, "latency": curve.to_json(), "state": state}

    def _missed(self, provider: Provider, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The limit that the provider misses; empty where it misses none."""
        report = latency_report(facts["latency"]["points"], (), {})
        try:
            check_gate(report, self.request.limits.of(provider.name), provider.name)
        except LatencyError as error:
            return {"message": str(error), "variant": self.variant, **error.facts}
        return {}
