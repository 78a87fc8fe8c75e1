"""Assembles a bundle's files and facts from the results of a build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.graph_file import BESIDE, LARGE
from mlpack_toolkit.converters.spec import Unsupported
from mlpack_toolkit.converters.variant import Variant
from mlpack_toolkit.runtimes.engine.schema import GRAPH
from mlpack_toolkit.runtimes.server.manifest import FORMAT, REFERENCE

from .. import __version__
from ..commands.bench import LatencyReport
from ..commands.verify import replay_all
from ..environments.system import machine
from ..errors import ConversionError
from ..original.sandbox import sandbox_words
from ..paths import check_name
from ..travel import Owned
from .facts import Proof, in_short, variant_facts
from .golden import GoldenCase, encode_case
from .layout import LAYOUTS
from .manifest import Manifest, canonical
from .readme import readme
from .report import report_html
from .sbom import sbom
from .writer import write_bundle

VERIFICATION = "reports/verification.json"
"""The report of the reference variant."""

if TYPE_CHECKING:
    from mlpack_toolkit.converters.messages import Loaded

    from ..commands.variants import Outcome, Shipped
    from ..environments.recording import Recorded
    from ..equivalence.prove import Proven
    from ..language.shipping import Shipping
    from ..original.source import Source
    from ..request import Request
    from .architecture import Block


def write(
    request: Request,
    place: Path,
    source: Source,
    loaded: Loaded,
    given: Mapping[str, Any],
    environment: Recorded,
    proven: Proven,
    cases: Sequence[GoldenCase],
    latency: LatencyReport,
    outcome: Outcome,
    spoken: Shipping,
    inputs: Mapping[str, Any],
    blocks: Sequence[Block] = (),
) -> Manifest:
    """Writes the bundle to `place` and returns its manifest. `inputs`: see `reuse`. `blocks`: of a module, for the
    report."""
    from mlpack_toolkit import runtimes

    name, version = request.bundle_name, request.version
    facts = _facts(request, source, loaded, given, environment, proven)
    facts["variants"] |= {each.variant.name: _other(each) for each in outcome.shipped}
    facts |= spoken.facts
    short, layout = in_short(facts), LAYOUTS[FORMAT]
    folder = layout.environment(environment.part)
    golden = {p: c for case in cases for p, c in encode_case(case, name, version, proven.signature).items()}
    targets = tuple(sorted(set(runtimes.names() if request.targets is None else request.targets)))
    files: dict[str, bytes | Path | Owned] = {
        **_model_files(source, proven.model),
        **{folder + path: content for path, content in environment.files.items()},
        VERIFICATION: canonical(proven.report.to_json()),
        "sbom.cdx.json": sbom(name, version, proven.model.files[0].sha256, environment.document),
        **{f"golden/{path}": content for path, content in golden.items()},
        **_deploy(request, targets, proven, golden),
        **_code_files(request.code),
        **spoken.files,
        **{path: content for each in outcome.shipped for path, content in _variant_files(each).items()},
    }
    files |= readme(short, proven.report, files)

    def evidence(identity: str) -> dict[str, bytes]:
        settings = machine() | environment.settings | {"libraries": loaded.libraries, "sandbox": loaded.sandbox}
        sandbox = sandbox_words(loaded.sandbox)
        latencies = _latencies(outcome)
        page = report_html(
            short, proven.report, environment.document, latency, targets, sandbox, identity, blocks, outcome
        )
        return {
            layout.latency: canonical(latency.to_json()),
            layout.machine: canonical(settings),
            layout.inputs: canonical(inputs),
            layout.report: page,
            **({layout.variants: canonical(latencies)} if latencies else {}),
        }

    return write_bundle(place, facts, files, evidence, request.overwrite, replay_all)


def _model_files(source: Source, graph: Artifact) -> dict[str, bytes | Path | Owned]:
    """The files of the source and the graph; a large file that is both is listed once."""
    given = {} if _is_both(source, graph) else source.relative()
    ours = {f"model/{file.path}": Owned(graph.folder / file.path, file.sha256, file.modified) for file in graph.files}
    return {**{f"model/{BESIDE}{path}": file for path, file in given.items()}, **ours}


def _is_both(source: Source, graph: Artifact) -> bool:
    """Whether the source is the graph that ships, and large."""
    return graph.size > LARGE and graph.path.samefile(source.files[0])


def _facts(
    request: Request, source: Source, loaded: Loaded, given: Mapping[str, Any], environment: Recorded, proven: Proven
) -> dict[str, Any]:
    both = _is_both(source, proven.model)
    original = {
        "path": GRAPH if both else f"model/{BESIDE}{request.model.name}",
        "framework": loaded.framework,
        "title": loaded.title,
        "part": environment.part,
        **({"given": dict(given)} if given else {}),
    }
    return {
        "name": request.bundle_name,
        "version": request.version,
        "mlpack": __version__,
        "notes": [*loaded.notes, *([f"{request.model.name} ships as it came: {GRAPH} is both"] if both else [])],
        "allowed": sorted(request.allow),
        "sources": [original],
        "parts": [{"name": environment.part, "language": environment.language, "environment": environment.facts}],
        "variants": {REFERENCE: _reference(proven)},
    }


def _reference(proven: Proven) -> dict[str, Any]:
    variant = Variant(REFERENCE, proven.model, proven.signature, proven.precision, proven.precision)
    return variant_facts(variant, Proof(VERIFICATION, proven.report.tolerances, proven.report.user_tolerance))


def _other(shipped: Shipped) -> dict[str, Any]:
    return variant_facts(shipped.variant, shipped.proof, f"model/{shipped.variant.name}")


def _variant_files(shipped: Shipped) -> dict[str, bytes | Path | Owned]:
    """The files of a variant, its report and the rows of its gate."""
    artifact, folder = shipped.variant.artifact, f"model/{shipped.variant.name}"
    graph = {f"{folder}/{f.path}": Owned(artifact.folder / f.path, f.sha256, f.modified) for f in artifact.files}
    return {**graph, **shipped.files, shipped.report.path: canonical(shipped.report.to_json())}


def _latencies(outcome: Outcome) -> dict[str, Any]:
    """The latency of each variant beside its parent's, measured here: no part of the identity."""
    kept = ("shipped", "latency", "engine")
    return {each["variant"]: {key: each[key] for key in kept if key in each} for each in outcome.to_json()}


def _deploy(request: Request, targets: tuple[str, ...], proven: Proven, golden: dict[str, bytes]) -> dict[str, bytes]:
    from mlpack_toolkit import runtimes
    from mlpack_toolkit.runtimes.spec import Package

    package = Package(request.bundle_name, request.version, proven.signature, proven.model, golden)
    files: dict[str, bytes] = {}
    for target in targets:
        try:
            rendered = runtimes.load(target).render(package)
        except Unsupported as error:
            if request.targets is not None:
                raise ConversionError(f"the target {target} does not support this model: {error}") from error
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
