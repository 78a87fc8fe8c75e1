"""`mlpack verify`: checks every digest, and replays every golden case in ONNX Runtime and in other targets."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlpack_toolkit.runtimes.engine.rules import violations
from mlpack_toolkit.runtimes.server.manifest import CPU, REFERENCE

from ..bundle.golden import GoldenCase
from ..bundle.reader import Bundle, check_files, open_bundle
from ..engines.recipe import KIND
from ..equivalence.runners import Graph, check_answers
from ..equivalence.session import session_of
from ..errors import DamagedError, MismatchError, MissingToolError, UsageError
from ..language.replay import replay_text
from ..providers import load
from ..setup_headers import check_kept
from .proving import placed_in, proved

SECONDS = 1800
NATIVE = "an engine is native code of whoever built the bundle: it runs where you name it with --variant"


def check_bundle(
    folder: Path,
    targets: Sequence[str],
    provider: str | None,
    progress: Callable[[str], None],
    variant: str | None = None,
    rows: Path | None = None,
) -> dict[str, Any]:
    """Checks the bundle; returns the facts. Raises `DamagedError` for a changed file, `MismatchError` for an answer.

    A variant with a gate is held to it again. `rows`: the gate's rows, where the bundle does not have them.
    `variant`: the one that is replayed; None: the reference, and where `provider` is None too, each other variant whose
    provider this machine has. `provider`: the name of one; None: the variant's own. On another one than the CPU the
    nodes that it ran are counted, and the proof becomes evidence of the bundle.
    """
    bundle = open_bundle(folder)
    chosen = bundle.variant(variant or REFERENCE)
    progress("checking every file's digest")
    added = check_files(bundle)
    asked = load(provider) if provider else None
    name = asked.title if asked else chosen.provider
    elsewhere = asked is not None and asked.title != CPU
    nodes = placed_in(bundle, asked, chosen.name) if asked and elsewhere else None
    progress("replaying the golden cases in ONNX Runtime")
    gates: dict[str, Any] = {}
    replayed: dict[str, int] = {_place(chosen.name, name): replay_held(bundle, name, chosen.name, gates, rows)}
    absent: dict[str, str] = {}
    if variant is None and provider is None:
        replayed |= _replay_others(bundle, absent, gates, rows, progress)
    spoken = replay_text(bundle) if variant is None else {}
    for target in targets:
        progress(f"building {target} and replaying the golden cases there")
        replayed[target] = _replay_target(bundle, target)
    proof = proved(bundle, asked, chosen.name, nodes, {"golden": replayed, "gates": gates}) if asked and nodes else None
    return {
        "bundle": str(folder),
        "identity": bundle.identity,
        "files": len(bundle.manifest.files),
        "variant": chosen.name,
        "golden": replayed,
        "gates": gates,
        **({"text": spoken} if spoken else {}),
        "not_replayed": absent,
        "evidence": {"files": len(bundle.evidence), "added": list(added)},
        **({"proof": proof} if proof else {}),
    }


def _place(variant: str, provider: str) -> str:
    """The name of a replay: the provider, with the variant's name unless it is the reference."""
    return provider if variant == REFERENCE else f"{variant} on {provider}"


def replay_held(bundle: Bundle, provider: str, variant: str, gates: dict[str, Any], rows: Path | None) -> int:
    """The number of golden cases; `gates` takes what came of the variant's gate, where it has one."""
    if not bundle.proof(variant).gate:
        return replay(bundle, provider, variant)
    from ..accuracy.again import hold_again

    graph = Graph(title_of(variant), session_of(bundle, provider=provider, variant=variant))
    count, gates[variant] = hold_again(bundle, graph, variant, rows)
    if "not_held" in gates[variant] and not bundle.proof(variant).proved:
        raise UsageError(f"the variant {variant} is not proved before its gate is held: {gates[variant]['not_held']}")
    return count


def _replay_others(
    bundle: Bundle,
    absent: dict[str, str],
    gates: dict[str, Any],
    rows: Path | None,
    progress: Callable[[str], None],
) -> dict[str, int]:
    """The cases of each variant but the reference; `absent` takes those that cannot run here, with the reason."""
    replayed = {}
    for other in bundle.variants[1:]:
        if other.recipe.get("kind") == KIND:
            absent[other.name] = NATIVE
            continue
        progress(f"replaying the golden cases in the variant {other.name}")
        try:
            replayed[_place(other.name, other.provider)] = replay_held(bundle, other.provider, other.name, gates, rows)
        except MissingToolError as error:
            absent[other.name] = str(error)
    return replayed


def replay(bundle: Bundle, provider: str = "", variant: str = REFERENCE) -> int:
    """The number of golden cases that a variant answers like the original.

    `provider`: ONNX Runtime's name; empty: the variant's own.
    """
    return replay_graph(
        bundle, Graph(title_of(variant), session_of(bundle, provider=provider, variant=variant)), variant
    )


def replay_graph(bundle: Bundle, graph: Graph, variant: str = REFERENCE) -> int:
    """The number of golden cases that a loaded variant answers like the original."""
    proof = bundle.proof(variant)
    own = None if variant == REFERENCE else proof.tolerances
    count = 0
    for case in bundle.golden():
        if not proof.proved and not case.error and next(violations(graph.signature, case.rows), None) is not None:
            continue  # of a size that the engine is not made for
        (_refused if case.error else _answered)(graph, case if own is None else replace(case, tolerances=own))
        count += 1
    if not count:
        raise DamagedError(f"the bundle {bundle.place} holds no golden case")
    return count


def replay_all(bundle: Bundle) -> None:
    """Replays the golden cases in the reference, and in each variant that is held to its tolerances; raises the error
    of the first that differs or cannot run here."""
    replay_text(bundle)
    for variant in bundle.variants:
        proof = bundle.proof(variant.name)
        if proof.proved and not proof.gate:
            replay(bundle, variant=variant.name)


def title_of(variant: str) -> str:
    """A variant's name in messages."""
    return "the graph" if variant == REFERENCE else f"the variant {variant}"


def _answered(graph: Graph, case: GoldenCase) -> None:
    broken = next(violations(graph.signature, case.rows), None)
    if broken is not None:
        raise MismatchError(f"{case.identifier}: the original answers it, the signature's rules refuse {broken}")
    check_answers(graph, case)


def _refused(graph: Graph, case: GoldenCase) -> None:
    if next(violations(graph.signature, case.rows), None) is None:
        raise MismatchError(f"{case.identifier} ({case.probe}): the original refuses it, the signature's rules do not")


def _replay_target(bundle: Bundle, target: str) -> int:
    from mlpack_toolkit import runtimes

    if target not in runtimes.names():
        raise UsageError(f"there is no target {target!r}; there are: {', '.join(runtimes.names())}")
    own = f"deploy/{target}/"
    if not bundle.listed(own):
        raise UsageError(f"the bundle has no {target} project: build it with --target {target}")
    check_kept()
    with tempfile.TemporaryDirectory(prefix="mlpack-") as scratch:
        work = Path(scratch).resolve() / "work"
        work.mkdir()
        held = bundle.held(work.with_name("bundle"), own, "golden/", *bundle.graph_files)
        project = held.place / own
        for step in runtimes.load(target).steps(project, work):
            if shutil.which(step.tool) is None:
                raise MissingToolError(f"{target} needs {step.tool}, which is not installed: {step.install}")
            _run([step.tool, *step.arguments], project, {**os.environ, **(step.environment or {})}, target)
    check_files(bundle)
    return sum(1 for _ in bundle.golden())


def _run(command: list[str], project: Path, environment: dict[str, str], target: str) -> None:
    try:
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired as error:
        raise MismatchError(f"the {target} project's tests did not end within {SECONDS} s") from error
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-30:])
        raise MismatchError(f"the {target} project's own tests fail ({' '.join(command[:2])}):\n{last}")
