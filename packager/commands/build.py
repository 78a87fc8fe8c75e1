"""The flow: a model file and example rows become a verified bundle."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack_toolkit import converters
from mlpack_toolkit.converters.messages import Convert, Environment, Language, Lend, Load, Loaded, Measure, Probe
from mlpack_toolkit.converters.spec import Axes, Signature, Table
from mlpack_toolkit.converters.table import rows_of
from mlpack_toolkit.converters.variant import ONNX

from ..built import Built
from ..errors import ForgedError, MismatchError, ModelError
from ..original.replies import hand_over
from ..original.worker import Worker
from ..paths import models_folder
from ..request import Progress, Request, check_request
from .keeping import GRAPHS, keep

if TYPE_CHECKING:
    from mlpack_toolkit.converters.artifact import Artifact

    from ..bundle.golden import GoldenCase
    from ..data.readers import Example
    from ..environments.recording import Given, Recorded, Recording
    from ..equivalence.others import Spare
    from ..equivalence.probes import Probes
    from ..equivalence.prove import Proven
    from ..language.shipping import Shipping
    from ..original.source import Source
    from .bench import LatencyReport
    from .variants import Outcome

SECONDS_PER_BATCH_SIZE = 0.1
AT_ONCE = 256 << 20
"""The most bytes of a model's file that two processes load at the same time."""


@dataclass(frozen=True)
class BuildContext:
    """A running build: the request, the checked copy of the model's files, the model's process and its folder, and the
    listener for steps."""

    request: Request
    source: Source
    worker: Worker
    scratch: Path
    progress: Progress

    @property
    def loading(self) -> Load:
        """The request to load the model, the same for each process of this build."""
        return self.source.request([str(folder.resolve()) for folder in self.request.code], self.request.options)


def build(request: Request, progress: Progress = lambda step: None) -> Built:
    """Builds the bundle at `OUTPUT/NAME-VERSION`; raises a kind of `MlpackError`, and then leaves nothing behind."""
    from ..bundle.writer import check_free
    from ..options import functions
    from ..original import model_folder
    from ..original.mlflow_folder import opened
    from ..original.source import take_source

    request, mlflow = opened(request)
    request = model_folder.opened(request)
    request = replace(request, overwrite=request.overwrite or request.reuse)
    place = request.output / f"{request.bundle_name}-{request.version}"
    check_request(request)
    check_free(place, request.overwrite)
    with models_folder() as (name, scratch):
        progress("reading the model file's imports")
        held = name / "source"  # which the model cannot reach
        called = functions(request.options)
        source = take_source(request.model, held, request.allow, request.code, called)
        if request.reuse and (found := _reused(request, source, place, progress)) is not None:
            return found
        with Worker(request.python, scratch, request.limits) as worker:
            try:
                built = _build(BuildContext(request, source, worker, scratch, progress), place)
                return replace(built, remarks=(*((mlflow.note,) if mlflow else ()), *built.remarks))
            except MismatchError as error:
                if request.keep_failed:
                    keep(scratch, place.with_name(place.name + ".failed"), error)
                raise


def _reused(request: Request, source: Source, place: Path, progress: Progress) -> Built | None:
    from ..reuse import reused

    progress("comparing with the bundle that is there")
    return reused(request, source, place) if place.is_dir() else None


def _build(build: BuildContext, place: Path) -> Built:
    from ..bundle.assemble import write
    from ..environments import given_lock, record
    from ..equivalence.graph_alone import begun
    from ..equivalence.layers import layers
    from ..equivalence.others import Spare
    from ..options import kept
    from ..reuse import record as record_inputs

    request, worker = build.request, build.worker
    given = given_lock(request.lock) if request.lock else None
    build.progress("loading the model in its own interpreter")
    worker.send(build.loading)
    with Spare(request.python, build.scratch, request.limits, build.loading) as spare:
        if _takes_tensors(build.source):
            spare.begin()
        recording = record(request.python)
        example = _read_example(build)
        loaded = worker.receive(build.loading)
        example = example or _read_there(build)
        if not loaded.can_convert:
            wanted = converters.load(loaded.framework).export.packages
            build.progress("installing what converting needs beside the model's environment")
            worker.call(Lend(str(recording.converter_packages(wanted))))
        probes, signature, notes = _ask(build, loaded, example, spare)
    loaded = replace(loaded, notes=(*loaded.notes, *notes))
    proven = _prove(build, loaded, signature, probes)
    loaded = replace(loaded, notes=(*loaded.notes, *begun(signature, proven.signature)))
    spoken = _language(build, loaded, proven, probes)
    cases = _cases(build, proven, probes)
    latency = _latency(build, loaded, proven, probes)
    outcome = _variants(build, proven, probes, cases)
    blocks = layers(proven.model, proven.signature, probes, worker, build.scratch)
    environment = _lock(build, loaded, recording, given)
    build.progress("writing the bundle, and replaying its golden cases")
    options = kept(request.options, loaded.framework)
    facts, found = _facts(environment), outcome.to_json()
    inputs = record_inputs(request, build.source, environment.document, {"environment": facts, "variants": found})
    parts = (environment, proven, cases, latency, outcome, spoken, inputs, blocks)
    identity = write(request, place, build.source, loaded, options, *parts).identity
    remarks = (*_remarks(build, loaded, signature, example), *outcome.remarks)
    return Built(place, identity, proven.signature, proven.report, latency, facts, loaded.notes, remarks, found)


def _takes_tensors(source: Source) -> bool:
    """Whether it is known by the file alone that a second process will be asked, which then starts beside the first.

    A large file is loaded by one process after the other: both at once would need the memory of loading twice.
    """
    size = sum(file.stat().st_size for file in source.files)
    converter = converters.for_container(source.found.kind, source.files[0])
    return converter is not None and converter.probing.takes_tensors and size <= AT_ONCE


def _read_example(build: BuildContext) -> Example | None:
    """Reads the example and writes it for the worker, which loads the model meanwhile; None: the worker reads it."""
    from ..data.framework_files import is_of_framework
    from ..data.readers import read_example, with_reals

    example = None
    file = build.request.example
    if file is not None and not is_of_framework(file):
        example = with_reals(read_example(file), build.request.reals)
        hand_over(example.table, build.scratch / "example.npz")
    _import_ahead()
    return example


def _read_there(build: BuildContext) -> Example:
    """The example in the model's own framework's format, or the one that the model makes."""
    from ..data.framework_files import made_by, read_in

    file, worker, scratch = build.request.example, build.worker, build.scratch
    example = made_by(worker, scratch) if file is None else read_in(worker, file, scratch)
    hand_over(example.table, build.scratch / "example.npz")
    return example


def _import_ahead() -> None:
    """Imports modules that this process needs later: saves 0.3 s after the worker's replies."""
    for module in ("onnxruntime", "cyclonedx.output.json", "jinja2", "..bundle.report", "..equivalence.prove"):
        import_module(module, __package__)


def _ask(
    build: BuildContext, loaded: Loaded, example: Example, spare: Spare
) -> tuple[Probes, Signature, tuple[str, ...]]:
    """The probes with the original's answers, the signature, and notes for the report."""
    if not loaded.width:
        spare.begin()
    probes, signature, notes = _probe(build, example)
    if signature.takes_tensors:
        signature, probes = _with_others(build, spare, signature, probes)
    return probes, signature, notes


def _probe(build: BuildContext, example: Example) -> tuple[Probes, Signature, tuple[str, ...]]:
    from ..equivalence.probes import Probes

    build.progress("asking the original about probe rows")
    scratch = build.scratch
    file, about = str(scratch / "example.npz"), (example.frame_dtypes, example.stored, example.dtypes, example.images)
    asked = Probe(file, str(scratch), *about)
    reply = build.worker.call(asked)
    return Probes.read(scratch, reply), reply.signature, reply.notes


def _with_others(build: BuildContext, spare: Spare, signature: Signature, probes: Probes) -> tuple[Signature, Probes]:
    """The signature that holds for batches of other sizes and values, too, and the probes with these."""
    from ..equivalence.others import answered, of_rank, widened
    from ..equivalence.tensor_rules import bounded, ruled

    build.progress("asking the original about other sizes and values")
    spare.signature, spare.first = signature, probes.rows
    signature = bounded(signature, probes.rows, spare.predict)
    others = tuple(of_rank(signature, answered(signature, probes.rows, spare.predict)))
    if build.request.rtol is None and build.request.atol is None:
        probes = replace(probes, noise=spare.noise(probes.rows), noise_of=partial(_noise, build))
    return ruled(widened(signature, others), others), replace(probes, others=others)


def _noise(build: BuildContext, batch: Table) -> Mapping[str, float]:
    """The original's noise in a batch that it has answered: in its first process, for the spare one is gone by then."""
    return build.worker.noise(batch, build.scratch)


def _prove(build: BuildContext, loaded: Loaded, signature: Signature, probes: Probes) -> Proven:
    """The graph that answers like the original; `MismatchError` where there is none."""
    from ..equivalence.processor import twin
    from ..equivalence.prove import Wanted, prove

    request = build.request
    wanted = Wanted(request.precision, request.rtol, request.atol)
    with twin(request.python, build.scratch, request.limits, build.loading, loaded, probes) as other:
        try:
            proven = prove(_converting(build), signature, probes, loaded.precisions, wanted, _checking(build, probes))
        except MismatchError:
            if other is not None:
                other.explain(signature, probes, wanted)
            raise
        if other is None:
            return proven
        build.progress("asking the original as another processor would answer")
        return other.held(proven, probes)


def _converting(build: BuildContext) -> Callable[[str], Artifact]:
    """Makes the graph of a precision, where the model's process cannot write."""
    from ..original.graphs import graph_in, source_as_graph

    graphs, source = build.scratch.with_name(GRAPHS), build.source
    graphs.mkdir()

    def convert(real: str) -> Artifact:
        build.progress(f"converting to ONNX ({real}) and comparing")
        out, folder = build.scratch / f"model.{real}.onnx", graphs / str(len(list(graphs.iterdir())) + 1)
        if build.worker.call(Convert(real, str(out))).as_it_came:
            return source_as_graph(folder, source)
        return graph_in(out, folder, source, build.request.limits.memory or sys.maxsize)

    return convert


def _converting_again(build: BuildContext, real: str) -> Callable[[Path], tuple[Artifact | None, tuple[str, ...]]]:
    """Makes the graph with mlpack's own operators for trees; see `Work` of variants."""
    from ..original.graphs import graph_in

    def convert(folder: Path) -> tuple[Artifact | None, tuple[str, ...]]:
        out = build.scratch / "model.operators.onnx"
        found = build.worker.call(Convert(real, str(out), kernels=True))
        if found.as_it_came or not found.kernels:
            return None, found.left_out
        return graph_in(out, folder, build.source, build.request.limits.memory or sys.maxsize), found.left_out

    return convert


def _checking(build: BuildContext, probes: Probes) -> Callable[[Artifact, Signature], Signature]:
    """Asks a graph of tensors in a process of its own first; of an ONNX file the original is a graph itself."""
    from ..equivalence.graph_alone import check_alone

    def check(graph: Artifact, signature: Signature) -> Signature:
        if not signature.takes_tensors or build.source.found.kind == ONNX:
            return signature
        return check_alone(graph, signature, probes, build.scratch, build.request.limits)

    return check


def _language(build: BuildContext, loaded: Loaded, proven: Proven, probes: Probes) -> Shipping:
    """The tokeniser, chats and sequences of a model of text, proved; nothing of another model."""
    from ..language.shipping import Shipping, shipping

    known = loaded.framework in converters.names()
    if not known or converters.load(loaded.framework).language is None:
        return Shipping()
    build.progress("asking the original about texts, and continuing them with the graph")
    said = build.worker.call(Language())
    return shipping(said, proven, lambda rows: build.worker.predict(rows, build.scratch, probes.axes))


def _cases(build: BuildContext, proven: Proven, probes: Probes) -> list[GoldenCase]:
    """The golden cases. The original answers each again on its own: in another batch its last bits may differ."""
    from ..equivalence.cases import golden_cases

    cases = golden_cases(proven.signature, probes, proven.report.tolerances, proven.report.noise)
    return [_answered_alone(build, case, probes.axes) for case in cases]


def _answered_alone(build: BuildContext, case: GoldenCase, axes: Axes | None) -> GoldenCase:
    if case.error or not rows_of(case.rows, axes):
        return case
    try:
        return replace(case, answers=build.worker.predict(case.rows, build.scratch, axes))
    except ForgedError:
        raise
    except ModelError:  # it needs columns that the graph does not read: its first answer holds
        return case


def _latency(build: BuildContext, loaded: Loaded, proven: Proven, probes: Probes) -> LatencyReport:
    from .bench import check_gate, latency_report, measure_graph, sizes

    build.progress("measuring latency")
    rows, _, _ = probes.keep(probes.kinds == "example")
    place = build.scratch / "rows.npz"
    hand_over(rows, place)
    seconds = SECONDS_PER_BATCH_SIZE
    graph = measure_graph(proven.model.path, proven.signature, rows, seconds, sizes(proven.signature, rows))
    batches = tuple(int(each["batch"]) for each in graph)
    reply = build.worker.call(Measure(str(place), batches, seconds))
    report = latency_report(graph, reply.batches, loaded.versions)
    check_gate(report, build.request.max_p99_ms)
    return report


def _variants(build: BuildContext, proven: Proven, probes: Probes, cases: Sequence[GoldenCase]) -> Outcome:
    """The variants that the user asks for."""
    from .variants import PLACE, Outcome, make_variants

    request = build.request
    if not request.variants:
        return Outcome()
    from ..accuracy.making import MadeOf
    from ..accuracy.own_metric import asker

    folder = build.scratch.with_name(PLACE)
    folder.mkdir()
    ask = asker(request.python, build.scratch, request.limits, request.code)
    made_of = MadeOf(proven, probes, cases, folder, ask, _converting_again(build, proven.precision))
    return make_variants(request.variants, made_of, SECONDS_PER_BATCH_SIZE, build.progress)


def _lock(build: BuildContext, loaded: Loaded, recording: Recording, given: Given | None) -> Recorded:
    """The locked environment; `given`: the user's own lock file."""
    from ..environments import recorded

    build.progress("locking the environment")
    vendor, options = build.request.vendor, build.request.options
    if not loaded.own_environment:
        return recording.result((*build.source.found.packages, *loaded.versions), vendor, given)
    told, beyond = build.worker.call(Environment()).environment, build.scratch.parent  # where the model cannot write
    return recorded(told, vendor, options.get(loaded.framework, {}), beyond)


def _facts(environment: Recorded) -> dict[str, Any]:
    """The facts about the environment for `Built`."""
    installed = environment.document["distributions"]
    needed = [each["name"] for each in installed if each.get("needed", True)]
    return {"distributions": len(installed), "needed": needed, **environment.facts}


def _remarks(build: BuildContext, loaded: Loaded, signature: Signature, example: Example) -> tuple[str, ...]:
    """Remarks on ignored columns, and on names and options that were not needed."""
    from ..remarks import ignored_columns, needless_options, needless_trust

    return (
        *ignored_columns(signature, [] if example.images else list(example.table)),
        *needless_trust(build.source.found, build.request.allow),
        *needless_options(build.request.options, loaded.framework),
    )
