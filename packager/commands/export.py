"""`mlpack export`: writes one target of a bundle as a stand-alone folder, with the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlpack_toolkit import runtimes
from mlpack_toolkit.converters.spec import Unsupported
from mlpack_toolkit.runtimes.spec import Package, Runtime

from ..bundle.manifest import NAME
from ..bundle.reader import Bundle, check_files, open_bundle
from ..errors import ConversionError, UsageError
from ..kernels import preferred
from ..paths import beside, check_writable
from ..travel import lay_out

OPERATORS = "operators"
"""The folder of a project for the variant that needs mlpack's own operators, and for their library."""
Files = Mapping[str, bytes | Path]


def export(folder: Path, target: str, place: Path, progress: Callable[[str], None]) -> dict[str, Any]:
    """Writes the project to `place` and returns its facts; raises `DamagedError` where the bundle was changed."""
    if target not in runtimes.names():
        raise UsageError(f"there is no target {target!r}; there are: {', '.join(runtimes.names())}")
    check_writable(place)
    if place.exists():
        raise UsageError(f"{place} exists already: give another --output, or remove it")
    bundle = open_bundle(folder)
    progress("checking every file's digest")
    check_files(bundle)
    progress(f"writing the {target} project")
    files = _files(bundle, runtimes.load(target))
    place.parent.mkdir(parents=True, exist_ok=True)
    with beside(place) as made:
        lay_out(files, made)
        made.chmod(0o755)
        made.rename(place)
    return {"project": str(place), "target": target, "identity": bundle.identity, "files": len(files)}


def _files(bundle: Bundle, runtime: Runtime) -> Files:
    """The project's files; for a project that is built from a bundle's folder, a minimal such folder."""
    golden = {path: bundle.file(path) for path in bundle.listed("golden/")}
    package = Package(
        bundle.name,
        bundle.version,
        bundle.signature,
        bundle.graph,
        {path.removeprefix("golden/"): case.read_bytes() for path, case in golden.items()},
    )
    project = {**_project(bundle, runtime, package)}
    if package.refers:
        graph = {file.path: bundle.graph.folder / file.path for file in bundle.graph.files}
        project |= {f"{home}/{path}": file for home in runtime.homes(package) for path, file in graph.items()}
    if not runtime.context:
        return {**project, **_faster(bundle)}
    around = {path: bundle.file(path) for path in bundle.graph_files}
    below = {f"deploy/{runtime.name}/{path}": source for path, source in project.items()}
    return {NAME: bundle.place / NAME, **golden, **around, **below}


def _faster(bundle: Bundle) -> Files:
    """The graph that mlpack's own operators make faster, and their library, where the bundle has such a variant and the
    library is this machine's."""
    name, library = preferred(bundle)
    if library is None:
        return {}
    artifact = bundle.checked(name)
    graph: dict[str, bytes | Path] = {
        f"{OPERATORS}/{file.path}": artifact.folder / file.path for file in artifact.files
    }
    return {**graph, f"{OPERATORS}/libmlpack_trees.so": library}


def _project(bundle: Bundle, runtime: Runtime, package: Package) -> Files:
    """The bundle's own project of that target, else one rendered by this mlpack."""
    place = f"deploy/{runtime.name}/"
    own = bundle.listed(place)
    if own:
        return {path.removeprefix(place): bundle.file(path) for path in own}
    try:
        return runtime.render(package)
    except Unsupported as error:
        raise ConversionError(f"the target {runtime.name} does not support this model: {error}") from error
