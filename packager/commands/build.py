"""The flow: a model file and example rows become a verified bundle."""

from __future__ import annotations

import json
import re
import shutil
import stat
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack_toolkit.converters.spec import Axes, Signature
from mlpack_toolkit.converters.table import rows_of

from ..errors import ForgedError, MismatchError, ModelError, UsageError
from ..original.replies import graph_in, hand_over
from ..original.worker import Limits, Worker
from ..paths import check_name, models_folder, program

if TYPE_CHECKING:
    from ..equivalence.probes import Probes
    from ..verify.others import Spare

Progress = Callable[[str], None]
SECONDS_PER_BATCH_SIZE = 0.1
LONGEST_NAME = 100
"""Letters: they stand together in the names of files, which have at most 255 bytes."""


@dataclass(frozen=True)
class Request:
    """What the user asked for; see `mlpack build --help`. `reals`: columns of real numbers, however written."""

    model: Path
    example: Path
    output: Path
    name: str = ""
    version: str = "1.0.0"
    python: str = sys.executable
    code: tuple[Path, ...] = ()
    targets: tuple[str, ...] | None = None
    precision: str = "auto"
    rtol: float | None = None
    atol: float | None = None
    max_p99_ms: float | None = None
    allow: tuple[str, ...] = ()
    vendor: bool = False
    lock: Path | None = None
    rscript: str = ""
    object: str = ""
    training: Path | None = None
    arguments: tuple[str, ...] = ()
    repository: str = ""
    keep_failed: bool = False
    overwrite: bool = False
    reals: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)

    @property
    def bundle_name(self) -> str:
        """The given name, else the model file's, in the letters that a folder and a Maven artifact can bear."""
        stem = self.name or self.model.name.split(".")[0]
        return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.") or "model"


@dataclass(frozen=True)
class Built:
    """A finished build; `environment`: what the manifest says of it, and how many distributions there are; `notes`:
    what the report says of how the model was read; `remarks`: what this build left out or did not need."""

    bundle: Path
    identity: str
    signature: Signature
    verification: Any
    latency: Any
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
    shutil.copytree(scratch, place, ignore=_folders)
    (place / "error.json").write_text(json.dumps(error.to_json(), indent=1, default=str))
    error.facts["kept"] = str(place)


def _folders(folder: str, names: list[str]) -> list[str]:
    """All but files: links, pipes and folders, which a model may have made."""
    return [name for name in names if not stat.S_ISREG(Path(folder, name).lstat().st_mode)]


def _check(request: Request) -> None:
    from mlpack_toolkit.runtimes import names

    from ..data.readers import check_file
    from ..environments import check_repository
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
    if request.training is not None and not request.training.is_file():
        raise UsageError(f"there is no training frame {request.training}")
    if request.repository:
        check_repository(request.repository)
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


def _build(request: Request, place: Path, source: Any, worker: Worker, scratch: Path, progress: Progress) -> Built:
    from ..bundle.assemble import write
    from ..environments import given_lock, record, recorded
    from ..equivalence.cases import golden_cases
    from ..equivalence.processor import twin
    from ..remarks import ignored_columns, needless_trust
    from ..user_options import given_of
    from ..verify.others import Spare

    given = given_lock(request.lock) if request.lock else None
    progress("loading the model in its own interpreter")
    code = [str(folder.resolve()) for folder in request.code]
    said = given_of(request)
    loading = {**source.request(), "code": code, "given": {**said, "rscript": program(request.rscript)}}
    worker.send("load", **loading)
    recording = record(request.python)
    example = _read_example(request, scratch)
    loaded = worker.receive()
    if not loaded["can_convert"]:
        progress("installing what converting needs beside the model's environment")
        worker.call("lend", folder=str(recording.converter_packages()))
    with Spare(request.python, scratch, request.limits, loading) as spare:
        if not loaded["width"]:
            spare.begin()
        probes, signature, notes = _probe(worker, scratch, example, progress)
        if signature.takes_tensors:
            signature, probes = _with_others(spare, signature, probes, progress)
    loaded["notes"] = [*loaded["notes"], *notes]
    with twin(request.python, scratch, request.limits, loading, loaded, probes) as other:
        proven = _prove(request, loaded, worker, scratch, signature, probes, other, progress)
    latency = _latency(request, loaded, worker, scratch, proven, probes, progress)
    progress("locking the environment")
    if loaded["own_environment"]:
        told, beyond = worker.call("environment")["environment"], scratch.parent  # of what the model may write in
        environment = recorded(told, request.vendor, request.repository, beyond)
    else:
        packages = (*source.found.packages, *loaded["versions"])
        environment = recording.result(packages, request.vendor, given)
    golden = golden_cases(proven.signature, probes, proven.report.tolerances)
    cases = _asked(golden, worker, scratch, probes.axes)
    progress("writing the bundle")
    manifest = write(request, place, source, loaded | {"given": said}, environment, proven, cases, latency)
    installed = environment.document["distributions"]
    needed = [each["name"] for each in installed if each.get("needed", True)]
    facts = {"distributions": len(installed), "needed": needed, **environment.facts}
    remarks = (*ignored_columns(signature, list(example.table)), *needless_trust(source.found, request.allow))
    said_of_it = tuple(loaded["notes"])
    return Built(place, manifest.identity, proven.signature, proven.report, latency, facts, said_of_it, remarks)


def _read_example(request: Request, scratch: Path) -> Any:
    """The example, written where the worker reads it; meanwhile the worker loads the model."""
    from ..data.readers import read_example, with_reals

    example = with_reals(read_example(request.example), request.reals)
    hand_over(example.table, scratch / "example.npz")
    _import_ahead()
    return example


def _import_ahead() -> None:
    """Imports what this process needs later: 0.3 s that would else come after the worker's replies."""
    for module in ("onnxruntime", "cyclonedx.output.json", "jinja2", ".report", ".verify.prove"):
        import_module(module, __package__)


def _probe(worker: Worker, scratch: Path, example: Any, progress: Progress) -> tuple[Any, Signature, list[str]]:
    """The probes with the original's answers, the signature, and notes for the report."""
    from ..equivalence.probes import Probes

    progress("asking the original about probe rows")
    told = {"frame_dtypes": example.frame_dtypes, "stored": example.stored}
    reply = worker.call("probe", example=str(scratch / "example.npz"), out=str(scratch), **told)
    return Probes.read(scratch, reply), Signature.from_json(reply["signature"]), reply["notes"]


def _with_others(spare: Spare, signature: Signature, probes: Probes, progress: Progress) -> tuple[Signature, Probes]:
    """The probes with batches of other sizes and values, and the signature that holds for them, too."""
    from ..verify.others import answered, of_rank, widened

    progress("asking the original about other sizes and values")
    spare.signature = signature
    others = tuple(of_rank(signature, answered(signature, probes.rows, spare.predict)))
    return widened(signature, others), replace(probes, others=others)


def _prove(
    request: Request,
    loaded: dict[str, Any],
    worker: Worker,
    scratch: Path,
    signature: Signature,
    probes: Any,
    twin: Any,
    progress: Progress,
) -> Any:
    from ..equivalence.prove import Wanted, prove

    def convert(real: str) -> bytes:
        progress(f"converting to ONNX ({real}) and comparing")
        out = scratch / f"model.{real}.onnx"
        worker.call("convert", real=real, out=str(out))
        return graph_in(out)

    wanted = Wanted(request.precision, request.rtol, request.atol)
    try:
        proven = prove(convert, signature, probes, loaded["precisions"], wanted)
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
    loaded: dict[str, Any],
    worker: Worker,
    scratch: Path,
    proven: Any,
    probes: Any,
    progress: Progress,
) -> Any:
    from .bench import check_gate, latency_report, measure_graph, sizes

    progress("measuring latency")
    rows, _, _ = probes.keep(probes.kinds == "example")
    hand_over(rows, scratch / "rows.npz")
    seconds = SECONDS_PER_BATCH_SIZE
    batches = sizes(proven.signature, rows)
    graph = measure_graph(proven.model, proven.signature, rows, seconds, batches)
    reply = worker.call("measure", rows=str(scratch / "rows.npz"), batches=list(batches), seconds=seconds)
    report = latency_report(graph, reply["batches"], loaded["versions"])
    check_gate(report, request.max_p99_ms)
    return report


def _asked(cases: Sequence[Any], worker: Worker, scratch: Path, axes: Axes | None) -> list[Any]:
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
