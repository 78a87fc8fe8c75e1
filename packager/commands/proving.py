"""Proves a variant on a provider of this machine, and adds the proof to the bundle as evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlpack_toolkit.runtimes.server.manifest import CPU, REFERENCE

from .. import __version__
from ..bundle.golden import GoldenCase
from ..bundle.proofs import add_proof
from ..bundle.reader import Bundle
from ..engines.recipe import KIND
from ..environments.nvidia import gpus
from ..environments.nvidia import versions as nvidia_versions
from ..environments.system import machine
from ..equivalence.placed import Placed, check_placed, placed
from ..equivalence.runners import Graph
from ..equivalence.session import Session, options_of, session_of
from ..equivalence.side_by_side import RECORDED, side_by_side
from ..errors import DamagedError, UsageError
from ..kernels import library_of
from ..providers.spec import Provider


def placed_in(bundle: Bundle, provider: Provider, variant: str) -> Placed:
    """Where the nodes ran; `MissingToolError` where the provider did not run them."""
    session = session_of(bundle, provider=provider.title, variant=variant)
    case = next(answered(bundle, session), None)
    if case is None:
        raise DamagedError(f"the bundle {bundle.place} holds no golden case with an answer")
    options, library = options_of(bundle.variant(variant), provider.title), library_of(bundle.variant(variant))
    found = placed(bundle.loadable(variant), session, options, case.rows, library)
    check_placed(found, provider.title)
    return found


def proved(bundle: Bundle, provider: Provider, variant: str, nodes: Placed, found: Mapping[str, Any]) -> dict[str, Any]:
    """The proof: how far the provider's answers are from the original's and from the CPU's, and where that was.

    `found`: what came of the replay. `file`: where the proof is in the bundle, or `not_written` with the reason.
    """
    facts = {
        **where(bundle, provider, variant),
        "nodes": dict(nodes.nodes),
        **_apart(bundle, provider, variant),
        **found,
    }
    return {**facts, **written(bundle, "verify", facts)}


def where(bundle: Bundle, provider: Provider, variant: str) -> dict[str, Any]:
    """What answers hold for: the variant, the provider with its options, the versions, the machine with its GPUs.

    Taken after a session ran: a library of NVIDIA's is loaded, and so named, when it is first used.
    """
    devices = gpus()
    return {
        "variant": variant,
        "provider": provider.name,
        "options": dict(options_of(bundle.variant(variant), provider.title)),
        "versions": {"mlpack": __version__, **_runtime(), **nvidia_versions()},
        "machine": machine(),
        **({"gpus": devices} if devices else {}),
    }


def _runtime() -> dict[str, str]:
    """The version of ONNX Runtime, and of the package that brought it where that has another name."""
    import onnxruntime

    version, name = str(onnxruntime.__version__), str(getattr(onnxruntime, "package_name", ""))
    return {"onnxruntime": version, **({name: version} if name else {})}


def measured(
    bundle: Bundle, provider: Provider, variant: str, nodes: Placed, report: Mapping[str, Any]
) -> dict[str, str]:
    """Adds a measurement of `mlpack bench` to the bundle."""
    facts = {**report, **where(bundle, provider, variant), "nodes": dict(nodes.nodes)}
    return written(bundle, "bench", facts)


def written(bundle: Bundle, kind: str, facts: Mapping[str, Any]) -> dict[str, str]:
    """Where the evidence is in the bundle, or why it is not there: a bundle may be read-only."""
    try:
        return {"file": add_proof(bundle, kind, facts)}
    except UsageError as error:
        return {"not_written": str(error)}


def answered(bundle: Bundle, session: Session) -> Iterator[GoldenCase]:
    """The golden cases that the original answers and that the variant's signature takes."""
    from ..accuracy.making import takes

    for case in bundle.golden():
        if not case.error and takes(session.signature, case) and all(v.size for v in case.rows.values()):
            yield case


def on_cpu(bundle: Bundle, variant: str) -> str:
    """The variant that answers on the CPU beside it: of an engine, which the CPU cannot run, the reference."""
    return REFERENCE if bundle.variant(variant).recipe.get("kind") == KIND else variant


def _apart(bundle: Bundle, provider: Provider, variant: str) -> dict[str, dict[str, float]]:
    """By output of floats, the largest differences on the golden cases from the original, and from the CPU, where an
    engine's reference answers in its place."""
    there = Graph(provider.name, session_of(bundle, provider=provider.title, variant=variant))
    here = Graph("the CPU", session_of(bundle, provider=CPU, variant=on_cpu(bundle, variant)))
    found = side_by_side((there, here), answered(bundle, there.session))
    pairs = {"from_original": (RECORDED, there.name), "from_cpu": (there.name, here.name)}
    return {name: dict(found[pair].largest) for name, pair in pairs.items()}
