"""`mlpack verify`: every digest, every golden case through ONNX Runtime, and the same cases in other targets."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.spec import Signature

from ..bundle.golden import GoldenCase
from ..bundle.reader import Bundle, check_files, open_bundle
from ..equivalence.comparison import differences
from ..equivalence.rules import violations
from ..equivalence.session import Session, session_of
from ..errors import DamagedError, MismatchError, MissingToolError, UsageError
from ..setup_headers import check_kept

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
SECONDS = 1800


def check_bundle(
    folder: Path, targets: Sequence[str], provider: str, progress: Callable[[str], None]
) -> dict[str, Any]:
    """What was checked; raises `DamagedError` or `MismatchError` where something is not as it was built."""
    bundle = open_bundle(folder)
    progress("checking every file's digest")
    check_files(bundle)
    progress("replaying the golden cases in ONNX Runtime")
    replayed = {PROVIDERS[provider]: replay(bundle, PROVIDERS[provider])}
    for target in targets:
        progress(f"building {target} and replaying the golden cases there")
        replayed[target] = _replay_target(bundle, target)
    return {
        "bundle": str(folder),
        "identity": bundle.identity,
        "files": len(bundle.manifest.files),
        "golden": replayed,
    }


def replay(bundle: Bundle, provider: str = PROVIDERS["cpu"]) -> int:
    """How many golden cases were answered as the original did."""
    session = session_of(bundle, provider=provider)
    count = 0
    for case in bundle.golden():
        _refused(session, case) if case.error else _answered(session, case, bundle.signature)
        count += 1
    if not count:
        raise DamagedError(f"the bundle {bundle.place} holds no golden case")
    return count


def _answered(session: Session, case: GoldenCase, signature: Signature) -> None:
    broken = next(violations(session.signature, case.rows), None)
    if broken is not None:
        raise MismatchError(f"{case.identifier}: the original answers it, the signature's rules refuse {broken}")
    got = session.run(case.rows)
    rows = differences(case, got, signature)
    if rows:
        said = f"{case.identifier} ({case.probe}): the graph does not answer like the original"
        raise MismatchError(said, worst=rows)


def _refused(session: Session, case: GoldenCase) -> None:
    if next(violations(session.signature, case.rows), None) is None:
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
        held = bundle.held(work.with_name("bundle"), own, "golden/", "model/model.onnx")
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
