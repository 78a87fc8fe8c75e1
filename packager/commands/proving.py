"""Proves a variant on a provider of this machine, and adds the proof to the bundle as evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mlpack_toolkit.converters.spec import Table
from mlpack_toolkit.runtimes.server.manifest import CPU, REFERENCE

from .. import __version__
from ..bundle.golden import GoldenCase
from ..bundle.proofs import add_proof
from ..bundle.reader import Bundle
from ..engines.recipe import KIND
from ..environments.system import machine
from ..equivalence.placed import Placed, check_placed, placed
from ..equivalence.session import Session, options_of, session_of
from ..errors import DamagedError, UsageError
from ..providers.spec import Provider


def placed_in(bundle: Bundle, provider: Provider, variant: str) -> Placed:
    """Where the nodes ran; `MissingToolError` where the provider did not run them."""
    session = session_of(bundle, provider=provider.title, variant=variant)
    case = next(_answered(bundle, session), None)
    if case is None:
        raise DamagedError(f"the bundle {bundle.place} holds no golden case with an answer")
    options = options_of(bundle.variant(variant), provider.title)
    found = placed(bundle.loadable(variant), session, options, case.rows)
    check_placed(found, provider.title)
    return found


def proved(bundle: Bundle, provider: Provider, variant: str, nodes: Placed, found: Mapping[str, Any]) -> dict[str, Any]:
    """The proof: how far the provider's answers are from the original's and from the CPU's, and where that was.

    `found`: what came of the replay. `file`: where the proof is in the bundle, or `not_written` with the reason.
    """
    facts = {
        **_where(bundle, provider, variant),
        "nodes": dict(nodes.nodes),
        **_apart(bundle, provider, variant),
        **found,
    }
    return {**facts, **written(bundle, "verify", facts)}


def _where(bundle: Bundle, provider: Provider, variant: str) -> dict[str, Any]:
    import onnxruntime

    return {
        "variant": variant,
        "provider": provider.name,
        "options": dict(options_of(bundle.variant(variant), provider.title)),
        "versions": {"onnxruntime": str(onnxruntime.__version__), "mlpack": __version__},
        "machine": machine(),
    }


def measured(
    bundle: Bundle, provider: Provider, variant: str, nodes: Placed, report: Mapping[str, Any]
) -> dict[str, str]:
    """Adds a measurement of `mlpack bench` to the bundle."""
    where = _where(bundle, provider, variant)
    return written(bundle, "bench", {**report, **where, "nodes": dict(nodes.nodes)})


def written(bundle: Bundle, kind: str, facts: Mapping[str, Any]) -> dict[str, str]:
    """Where the evidence is in the bundle, or why it is not there: a bundle may be read-only."""
    try:
        return {"file": add_proof(bundle, kind, facts)}
    except UsageError as error:
        return {"not_written": str(error)}


def _answered(bundle: Bundle, session: Session) -> Iterator[GoldenCase]:
    from ..accuracy.making import takes

    for case in bundle.golden():
        if not case.error and takes(session.signature, case) and all(v.size for v in case.rows.values()):
            yield case


def _apart(bundle: Bundle, provider: Provider, variant: str) -> dict[str, dict[str, float]]:
    """By output of floats, the largest differences on the golden cases from the original, and from the CPU, where an
    engine's reference answers in its place."""
    session = session_of(bundle, provider=provider.title, variant=variant)
    on_cpu = REFERENCE if bundle.variant(variant).recipe.get("kind") == KIND else variant
    cpu = session_of(bundle, provider=CPU, variant=on_cpu)
    found: dict[str, dict[str, float]] = {"from_original": {}, "from_cpu": {}}
    for case in _answered(bundle, session):
        got = session.run(case.rows)
        for most, want in zip(found.values(), (case.answers, cpu.run(case.rows)), strict=True):
            for name, apart in _differences(want, got):
                most[name] = max(most.get(name, 0.0), apart)
    return found


def _differences(want: Table, got: Table) -> Iterator[tuple[str, float]]:
    for name, values in want.items():
        if values.dtype.kind == "f":
            both = np.isfinite(values) & np.isfinite(got[name])
            yield name, float(np.abs(values.astype(np.float64) - got[name])[both].max(initial=0.0))
