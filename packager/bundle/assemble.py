"""What a bundle holds, from what a build found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.graph_file import BESIDE, LARGE
from mlpack_toolkit.converters.spec import Unsupported
from mlpack_toolkit.runtimes.engine.schema import GRAPH

from .. import __version__
from ..commands.bench import LatencyReport
from ..environments.system import machine
from ..errors import ConversionError
from ..original.sandbox import sandbox_words
from ..paths import check_name
from ..travel import Owned
from .golden import GoldenCase, encode_case
from .manifest import Manifest, canonical
from .readme import readme
from .report import report_html
from .sbom import sbom
from .writer import write_bundle

if TYPE_CHECKING:
    from ..commands.build import Request
    from ..environments.recording import Recorded
    from ..original.source import Source


def write(
    request: Request,
    place: Path,
    source: Source,
    loaded: dict[str, Any],
    environment: Recorded,
    proven: Any,
    cases: Sequence[GoldenCase],
    latency: LatencyReport,
) -> Manifest:
    """The manifest of the bundle that now lies at `place`, whole."""
    from mlpack_toolkit import runtimes

    name, version = request.bundle_name, request.version
    facts = _facts(request, source, loaded, proven) | {"environment": environment.facts}
    golden = {p: c for case in cases for p, c in encode_case(case, name, version).items()}
    targets = tuple(sorted(set(runtimes.names() if request.targets is None else request.targets)))
    files: dict[str, bytes | Path | Owned] = {
        **_model_files(source, proven.model),
        **environment.files,
        "reports/verification.json": canonical(proven.report.to_json()),
        "sbom.cdx.json": sbom(name, version, proven.model.files[0].sha256, environment.document),
        **{f"golden/{path}": content for path, content in golden.items()},
        **_deploy(request, targets, proven, golden),
        **_code_files(request.code),
    }
    files |= readme(facts, proven.report, files)

    def measured(identity: str) -> dict[str, bytes]:
        settings = machine() | environment.settings | {name: loaded[name] for name in ("libraries", "sandbox")}
        sandbox = sandbox_words(loaded["sandbox"])
        page = report_html(facts, proven.report, environment.document, latency, targets, sandbox, identity)
        return {
            "measurements/latency.json": canonical(latency.to_json()),
            "measurements/machine.json": canonical(settings),
            "reports/report.html": page,
        }

    return write_bundle(place, facts, files, measured, request.overwrite)


def _model_files(source: Source, graph: Artifact) -> dict[str, bytes | Path | Owned]:
    """The source and the graph; a large file that is both once, and the source's data once."""
    given = {} if _is_both(source, graph) else source.relative()
    ours = {f"model/{file.path}": Owned(graph.folder / file.path, file.sha256) for file in graph.files}
    return {**{f"model/{BESIDE}{path}": Owned(file) for path, file in given.items()}, **ours}


def _is_both(source: Source, graph: Artifact) -> bool:
    """Whether the source is the graph that ships, and large."""
    return graph.size > LARGE and graph.path.samefile(source.files[0])


def _facts(request: Request, source: Source, loaded: dict[str, Any], proven: Any) -> dict[str, Any]:
    both = _is_both(source, proven.model)
    return {
        "name": request.bundle_name,
        "version": request.version,
        "mlpack": __version__,
        "framework": loaded["framework"],
        "title": loaded["title"],
        "notes": [*loaded["notes"], *([f"{request.model.name} ships as it came: {GRAPH} is both"] if both else [])],
        "source": GRAPH if both else f"model/{BESIDE}{request.model.name}",
        "precision": proven.precision,
        "signature": proven.signature.to_json(),
        "tolerances": proven.report.to_json()["tolerances"],
        "tolerance_given_by_user": proven.report.user_tolerance,
        "allowed": sorted(request.allow),
        **({"given": loaded["given"]} if loaded["given"] else {}),
    }


def _deploy(request: Request, targets: tuple[str, ...], proven: Any, golden: dict[str, bytes]) -> dict[str, bytes]:
    from mlpack_toolkit import runtimes
    from mlpack_toolkit.runtimes.spec import Package

    package = Package(request.bundle_name, request.version, proven.signature, proven.model, golden)
    files: dict[str, bytes] = {}
    for target in targets:
        try:
            rendered = runtimes.load(target).render(package)
        except Unsupported as error:
            if request.targets is not None:
                raise ConversionError(f"the target {target} cannot hold this model: {error}") from error
            continue
        files |= {f"deploy/{target}/{path}": content for path, content in rendered.items()}
    return files


def _code_files(folders: Sequence[Path]) -> dict[str, Path]:
    """The user's own modules, without caches."""
    files: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            relative = path.relative_to(folder)
            if path.is_file() and "__pycache__" not in relative.parts and path.suffix != ".pyc":
                check_name(relative)
                target = f"model/code/{relative.as_posix()}"
                if target in files:
                    raise ConversionError(f"two --code folders hold {relative}: give one")
                files[target] = path
    return files
