"""The flow: a model file and example rows become a verified bundle."""

from __future__ import annotations

import json
import re
import shutil
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack_toolkit import converters
from mlpack_toolkit.converters.messages import Convert, Environment, Lend, Loaded, Measure, Probe
from mlpack_toolkit.converters.spec import Axes, Signature
from mlpack_toolkit.converters.table import rows_of

from ..errors import ForgedError, MismatchError, ModelError, UsageError
from ..original.replies import hand_over
from ..original.worker import Worker
from ..paths import check_name, models_folder
from ..request import Progress, Request
from ..travel import share

if TYPE_CHECKING:
    from mlpack_toolkit.converters.artifact import Artifact

    from ..bundle.golden import GoldenCase
    from ..data.readers import Example
    from ..equivalence.others import Spare
    from ..equivalence.probes import Probes
    from ..equivalence.processor import Twin
    from ..equivalence.prove import Proven
    from ..equivalence.report import VerificationReport
    from ..original.source import Source
    from .bench import LatencyReport

GRAPHS = "graphs"
"""The folder of the graphs that were tried, each in one of its own, in order."""
SECONDS_PER_BATCH_SIZE = 0.1
LONGEST_NAME = 100
"""Letters: they stand together in the names of files, which have at most 255 bytes."""


@dataclass(frozen=True)
class Built:
    """A finished build; `environment`: what the manifest says of it, and how many distributions there are; `notes`:
    what the report says of how the model was read; `remarks`: what this build left out or did not need."""

    bundle: Path
    identity: str
    signature: Signature
    verification: VerificationReport
    latency: LatencyReport
    environment: dict[str, Any]
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What `mlpack build --json` prints."""
        return {
            "bundle": str(self.bundle),
            "identity": self.identity,
            "signature": self.signature.to_json(),
            "verification": self.verification.to_json(),
            "latency": self.latency.to_json(),
        }


def build(request: Request, progress: Progress = lambda step: None) -> Built:
    """The bundle at `OUTPUT/NAME-VERSION`; raises a kind of `MlpackError`, and then leaves nothing behind."""
    from ..bundle.writer import check_free
    from ..original.mlflow_folder import opened
    from ..original.source import take_source

    request, mlflow = opened(request)
    place = request.output / f"{request.bundle_name}-{request.version}"
    _check(request)
    check_free(place, request.overwrite)
    with models_folder() as (name, scratch):
        progress("reading the model file's imports")
        source = take_source(request.model, name / "source", request.allow, request.code)  # not the model's to write
        with Worker(request.python, scratch, request.limits) as worker:
            try:
                built = _build(request, place, source, worker, scratch, progress)
                return replace(built, remarks=(*((mlflow.note,) if mlflow else ()), *built.remarks))
            except MismatchError as error:
                if request.keep_failed:
                    _keep(scratch, place.with_name(place.name + ".failed"), error)
                raise


def _keep(scratch: Path, place: Path, error: MismatchError) -> None:
    """Leaves the graphs, the probes and both sides' answers for study."""
    shutil.rmtree(place, ignore_errors=True)
    if (graphs := scratch.with_name(GRAPHS)).is_dir():
        shutil.copytree(graphs, place / GRAPHS, copy_function=lambda a, b: share(Path(a), Path(b)))
    shutil.copytree(scratch, place, ignore=_folders, dirs_exist_ok=True)
    (place / "error.json").write_text(json.dumps(error.to_json(), indent=1, default=str))
    error.facts["kept"] = str(place)


def _folders(folder: str, names: list[str]) -> list[str]:
    """All but files: links, pipes and folders, which a model may have made; nothing may take the graphs' place."""
    return [name for name in names if name == GRAPHS or not stat.S_ISREG(Path(folder, name).lstat().st_mode)]


def _check(request: Request) -> None:
    from mlpack_toolkit.runtimes import names

    from ..data.readers import check_file
    from ..original.interpreter import check_interpreter

    for path in (request.model, *request.code, *((request.lock,) if request.lock else ())):
        check_name(path)
    if request.model.is_dir():
        raise UsageError(f"{request.model} is a folder that MLflow did not write: give the model's file in it")
    if not request.model.is_file():
        raise UsageError(f"there is no model file {request.model}")
    check_file(request.example)
    if request.lock is not None and not request.lock.is_file():
        raise UsageError(f"there is no lock file {request.lock}")
    for folder in request.code:
        if not folder.is_dir():
            raise UsageError(f"--code {folder} is not a folder")
    if len(request.bundle_name) > LONGEST_NAME or len(request.version) > LONGEST_NAME:
        raise UsageError(
            f"the name and the version have at most {LONGEST_NAME} letters each: give shorter ones (--name)"
        )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", request.version):
        raise UsageError(f"the version {request.version!r} must be letters, digits and . _ + -, like 1.0.0")
    unknown = [t for t in request.targets or () if t not in names()]
    if unknown:
        raise UsageError(f"there is no target {unknown[0]!r}; there are: {', '.join(names())}")
    check_interpreter(request.python)


def _build(request: Request, place: Path, source: Source, worker: Worker, scratch: Path, progress: Progress) -> Built:
    from ..bundle.assemble import write
    from ..environments import given_lock, record, recorded
    from ..equivalence.cases import golden_cases
    from ..equivalence.others import Spare
    from ..equivalence.processor import twin
    from ..options import kept
    from ..remarks import ignored_columns, needless_options, needless_trust

    given = given_lock(request.lock) if request.lock else None
    progress("loading the model in its own interpreter")
    code = [str(folder.resolve()) for folder in request.code]
    loading = source.request(code, request.options)
    worker.send(loading)
    recording = record(request.python)
    example = _read_example(request, scratch)
    loaded = worker.receive(loading)
    if not loaded.can_convert:
        wanted = converters.load(loaded.framework).export.packages
        progress("installing what converting needs beside the model's environment")
        worker.call(Lend(str(recording.converter_packages(wanted))))
    with Spare(request.python, scratch, request.limits, loading) as spare:
        if not loaded.width:
            spare.begin()
        probes, signature, notes = _probe(worker, scratch, example, progress)
        if signature.takes_tensors:
            signature, probes = _with_others(spare, signature, probes, progress)
    loaded = replace(loaded, notes=(*loaded.notes, *notes))
    with twin(request.python, scratch, request.limits, loading, loaded, probes) as other:
        proven = _prove(request, source, loaded, worker, scratch, signature, probes, other, progress)
    golden = golden_cases(proven.signature, probes, proven.report.tolerances)
    cases = _asked(golden, worker, scratch, probes.axes)
    latency = _latency(request, loaded, worker, scratch, proven, probes, progress)
    progress("locking the environment")
    if loaded.own_environment:
        told, beyond = worker.call(Environment()).environment, scratch.parent  # of what the model may write in
        environment = recorded(told, request.vendor, request.options.get(loaded.framework, {}), beyond)
    else:
        packages = (*source.found.packages, *loaded.versions)
        environment = recording.result(packages, request.vendor, given)
    progress("writing the bundle, and replaying its golden cases")
    manifest = write(
        request, place, source, loaded, kept(request.options, loaded.framework), environment, proven, cases, latency
    )
    installed = environment.document["distributions"]
    needed = [each["name"] for each in installed if each.get("needed", True)]
    facts = {"distributions": len(installed), "needed": needed, **environment.facts}
    remarks = (*ignored_columns(signature, list(example.table)), *needless_trust(source.found, request.allow))
    remarks += needless_options(request.options, loaded.framework)
    return Built(place, manifest.identity, proven.signature, proven.report, latency, facts, loaded.notes, remarks)


def _read_example(request: Request, scratch: Path) -> Example:
    """The example, written where the worker reads it; meanwhile the worker loads the model."""
    from ..data.readers import read_example, with_reals

    example = with_reals(read_example(request.example), request.reals)
    hand_over(example.table, scratch / "example.npz")
    _import_ahead()
    return example


def _import_ahead() -> None:
    """Imports what this process needs later: 0.3 s that would else come after the worker's replies."""
    for module in ("onnxruntime", "cyclonedx.output.json", "jinja2", "..bundle.report", "..equivalence.prove"):
        import_module(module, __package__)


def _probe(
    worker: Worker, scratch: Path, example: Example, progress: Progress
) -> tuple[Probes, Signature, tuple[str, ...]]:
    """The probes with the original's answers, the signature, and notes for the report."""
    from ..equivalence.probes import Probes

    progress("asking the original about probe rows")
    asked = Probe(str(scratch / "example.npz"), str(scratch), example.frame_dtypes, example.stored, example.dtypes)
    reply = worker.call(asked)
    return Probes.read(scratch, reply), reply.signature, reply.notes


def _with_others(spare: Spare, signature: Signature, probes: Probes, progress: Progress) -> tuple[Signature, Probes]:
    """The probes with batches of other sizes and values, and the signature that holds for them, too."""
    from ..equivalence.others import answered, of_rank, widened

    progress("asking the original about other sizes and values")
    spare.signature = signature
    others = tuple(of_rank(signature, answered(signature, probes.rows, spare.predict)))
    return widened(signature, others), replace(probes, others=others)


def _prove(
    request: Request,
    source: Source,
    loaded: Loaded,
    worker: Worker,
    scratch: Path,
    signature: Signature,
    probes: Probes,
    twin: Twin | None,
    progress: Progress,
) -> Proven:
    from ..equivalence.prove import Wanted, prove
    from ..original.graphs import graph_in, source_as_graph

    graphs = scratch.with_name(GRAPHS)  # where the model's process cannot write
    graphs.mkdir()

    def convert(real: str) -> Artifact:
        progress(f"converting to ONNX ({real}) and comparing")
        out, folder = scratch / f"model.{real}.onnx", graphs / str(len(list(graphs.iterdir())) + 1)
        if worker.call(Convert(real, str(out))).as_it_came:
            return source_as_graph(folder, source)
        return graph_in(out, folder, source, request.limits.memory or sys.maxsize)

    wanted = Wanted(request.precision, request.rtol, request.atol)
    try:
        proven = prove(convert, signature, probes, loaded.precisions, wanted)
    except MismatchError:
        if twin is not None:
            twin.explain(signature, probes, wanted)
        raise
    if twin is None:
        return proven
    progress("asking the original as another processor would answer")
    return twin.held(proven, probes)


def _latency(
    request: Request,
    loaded: Loaded,
    worker: Worker,
    scratch: Path,
    proven: Proven,
    probes: Probes,
    progress: Progress,
) -> LatencyReport:
    from .bench import check_gate, latency_report, measure_graph, sizes

    progress("measuring latency")
    rows, _, _ = probes.keep(probes.kinds == "example")
    hand_over(rows, scratch / "rows.npz")
    seconds = SECONDS_PER_BATCH_SIZE
    batches = sizes(proven.signature, rows)
    graph = measure_graph(proven.model.path, proven.signature, rows, seconds, batches)
    reply = worker.call(Measure(str(scratch / "rows.npz"), batches, seconds))
    report = latency_report(graph, reply.batches, loaded.versions)
    check_gate(report, request.max_p99_ms)
    return report


def _asked(cases: Sequence[GoldenCase], worker: Worker, scratch: Path, axes: Axes | None) -> list[GoldenCase]:
    """The cases with what the original says to just their rows: in another batch its last bits may be others."""
    again = []
    for case in cases:
        if not case.error and rows_of(case.rows, axes):
            try:
                case = replace(case, answers=worker.predict(case.rows, scratch, axes))
            except ForgedError:
                raise
            except ModelError:  # it wants columns that the graph does not read: what it said before holds
                pass
        again.append(case)
    return again
