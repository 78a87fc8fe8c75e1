"""`mlpack export`: writes one target of a bundle as a stand-alone folder, with the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlpack_toolkit import runtimes
from mlpack_toolkit.converters.spec import Unsupported
from mlpack_toolkit.runtimes.spec import Accelerator, Package, Runtime

from ..bundle.manifest import NAME
from ..bundle.proofs import check_proved
from ..bundle.reader import Bundle, check_files, open_bundle
from ..engines.process import ENGINE
from ..engines.recipe import FLAVOURS, FULL, KIND, plan_of
from ..errors import ConversionError, UsageError
from ..kernels import preferred
from ..paths import check_new, new_folder
from ..providers import load
from ..travel import lay_out

OPERATORS = "operators"
"""The folder of a project for the variant that needs mlpack's own operators, and for their library."""
Files = Mapping[str, bytes | Path]


def export(
    folder: Path,
    target: str,
    place: Path,
    progress: Callable[[str], None],
    provider: str | None = None,
    variant: str | None = None,
) -> dict[str, Any]:
    """Writes the project to `place` and returns its facts; raises `DamagedError` where the bundle was changed.

    `provider`: the one that the project answers on; None: the CPU's. `variant`: an engine of TensorRT that Triton opens
    in the graph's place.
    """
    if target not in runtimes.names():
        raise UsageError(f"there is no target {target!r}; there are: {', '.join(runtimes.names())}")
    check_new(place)
    bundle = open_bundle(folder)
    progress("checking every file's digest")
    check_files(bundle)
    progress(f"writing the {target} project")
    runtime = runtimes.load(target)
    files = _files(bundle, runtime, accelerator(bundle, runtime, provider, variant))
    with new_folder(place) as made:
        lay_out(files, made)
    on = {"provider": provider} if provider else {}
    return {"project": str(place), "target": target, **on, "identity": bundle.identity, "files": len(files)}


def accelerator(bundle: Bundle, runtime: Runtime, provider: str | None, variant: str | None) -> Accelerator | None:
    """The provider of a project, and the engine that Triton opens; None for a project that answers on the CPU.

    Raises `UsageError` for one that the target does not have.
    """
    if provider in (None, "cpu"):
        if variant:
            raise UsageError(f"--variant {variant} is an engine for a GPU: give --provider cuda, too")
        return None
    if provider not in runtime.accelerators:
        there = ", ".join(("cpu", *runtime.accelerators))
        raise UsageError(f"the target {runtime.name} has no project for the provider {provider!r}; there are: {there}")
    known = load(provider)
    options = {name: str(value) for name, value in known.options.items()}
    variables = known.in_image.variables if known.in_image else {}
    about = (known.name, known.title, options, variables)
    return Accelerator(*about, *_engine(bundle, runtime, variant)) if variant else Accelerator(*about)


def _engine(bundle: Bundle, runtime: Runtime, variant: str) -> tuple[Path, int]:
    """The file of an engine, and the most rows that it takes; `UsageError` for a variant that Triton cannot open."""
    if not runtime.opens_engines:
        there = ", ".join(name for name in runtimes.names() if runtimes.load(name).opens_engines)
        raise UsageError(f"the target {runtime.name} opens no engines: leave out --variant, or take the target {there}")
    found = bundle.variant(variant)
    if found.recipe.get("kind") != KIND:
        raise UsageError(f"the variant {variant} is no engine of TensorRT, which --variant names for Triton")
    plan = plan_of(variant, found.recipe)
    if plan.flavour != FULL:
        raise UsageError(
            f"the variant {variant} is an engine of {FLAVOURS[plan.flavour].title}, and Triton opens those of "
            f"{FLAVOURS[FULL].title}: build it with -O tensorrt.flavour={FULL} on the card that will run it"
        )
    check_proved(bundle, variant)
    artifact = bundle.checked(variant)
    return artifact.folder / ENGINE, found.signature.batch_sizes.largest


def _files(bundle: Bundle, runtime: Runtime, on: Accelerator | None) -> Files:
    """The project's files; for a project that is built from a bundle's folder, a minimal such folder."""
    golden = {path: bundle.file(path) for path in bundle.listed("golden/")}
    package = Package(
        bundle.name,
        bundle.version,
        bundle.signature,
        bundle.graph,
        {path.removeprefix("golden/"): case.read_bytes() for path, case in golden.items()},
        on,
    )
    project = {**_project(bundle, runtime, package)}
    if package.refers:
        graph = {file.path: bundle.graph.folder / file.path for file in bundle.graph.files}
        project |= {f"{home}/{path}": file for home in runtime.homes(package) for path, file in graph.items()}
    if not runtime.context:
        return project if on else {**project, **_faster(bundle)}
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
    """The bundle's own project of that target, else one rendered by this mlpack, as each for a provider is."""
    place = f"deploy/{runtime.name}/"
    own = () if package.accelerator else bundle.listed(place)
    if own:
        return {path.removeprefix(place): bundle.file(path) for path in own}
    try:
        return runtime.render(package)
    except Unsupported as error:
        raise ConversionError(f"the target {runtime.name} does not support this model: {error}") from error
