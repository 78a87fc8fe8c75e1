"""`mlpack reproduce`: rebuilds the original's environment, runs the original again and compares its answers."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpack_toolkit.converters.plugin import Options
from mlpack_toolkit.converters.spec import Table
from mlpack_toolkit.converters.table import rows_of

from ..bundle.golden import GoldenCase
from ..bundle.reader import Bundle, check_files, open_bundle
from ..environments import rebuild
from ..environments.system import kernels, machine
from ..equivalence.runners import Original, check_answers
from ..original.reload import original_worker

if TYPE_CHECKING:
    from ..environments.python.rebuild import Interpreter

Array = np.ndarray[Any, Any]
Libraries = Sequence[Mapping[str, Any]]
Progress = Callable[[str], None]


def reproduce(
    folder: Path,
    into: Path,
    python: str | None,
    allow: Sequence[str],
    progress: Progress = lambda step: None,
    options: Options | None = None,
) -> dict[str, Any]:
    """Facts about the rebuilt environment and the comparison of the answers.

    Raises `DamagedError` for a bundle that was changed, `EnvironmentFault` where the environment cannot be rebuilt,
    `MismatchError` where an answer differs beyond its tolerance.
    """
    bundle = open_bundle(folder)
    progress("checking every digest")
    check_files(bundle)
    part = next(part for part in bundle.parts if part.name == bundle.source.part)
    wanted = bundle.json(part.document)
    progress("installing the environment")
    with tempfile.TemporaryDirectory(prefix="mlpack-") as scratch:
        held = bundle.held(Path(scratch), part.folder).place
        given = (options or {}).get(bundle.source.framework, {})
        interpreter = rebuild(held / part.folder, wanted, into, python, given)
    progress("running the original again")
    before = bundle.json(bundle.layout.machine)
    golden, libraries = _asked_again(bundle, interpreter, allow, wanted, before)
    return {
        "bundle": str(folder),
        "environment": str(into),
        "interpreter": {
            "implementation": wanted["interpreter"]["implementation"],
            "wanted": wanted["interpreter"]["version"],
            "found": interpreter.version,
        },
        "distributions": interpreter.installed,
        "golden": golden,
        "kernels": _kernels(before, libraries),
        "differs": _otherwise(wanted, before, interpreter, libraries),
    }


def _otherwise(
    wanted: Mapping[str, Any], before: Mapping[str, Any], interpreter: Interpreter, libraries: Libraries | None = None
) -> list[str]:
    """Differences from the machine of the build that can change the last bits. `libraries`: the original's libraries of
    linear algebra, once it is loaded."""
    now, differing = machine(), []
    if not interpreter.exact:
        said = wanted["interpreter"]
        differing.append(f"{said['implementation']} {interpreter.version} for {said['version']}")
    if now["libc"] != wanted["libc"]:
        differing.append(f"{now['libc']} for {wanted['libc']}")
    if (now["cpu"], now["cpu_flags"]) != (before.get("cpu"), before.get("cpu_flags")):
        differing.append(f"processor {now['cpu']} for {before.get('cpu')} (or one with other instructions)")
    found = _kernels(before, libraries)
    if found["present"] != found["recorded"]:
        differing.append(f"linear algebra by {found['present']} for {found['recorded']}")
    return differing


def _kernels(before: Mapping[str, Any], libraries: Libraries | None) -> dict[str, str]:
    """The linear algebra kernels of the build and of this run; empty for an original in an interpreter of its own."""
    recorded = before.get("libraries", []) if libraries is not None else []
    return {"recorded": kernels(recorded), "present": kernels(libraries or [])}


def _asked_again(
    bundle: Bundle, interpreter: Interpreter, allow: Sequence[str], wanted: Mapping[str, Any], before: Mapping[str, Any]
) -> tuple[dict[str, Any], Libraries | None]:
    """The numbers of cases with the same bits and of those only within their tolerance, and the original's libraries of
    linear algebra."""
    same = count = 0
    axes, options = bundle.signature.batch_axes, {bundle.source.framework: interpreter.given}
    asked = original_worker(bundle, interpreter.path or sys.executable, allow, options)
    with asked as (worker, loaded, scratch):
        libraries = None if loaded.own_environment else loaded.libraries
        differing = _otherwise(wanted, before, interpreter, libraries)
        why = f"; not as recorded: {'; '.join(differing)}" if differing else ""
        original = Original(worker, scratch, bundle.signature)
        words = f"the original's answer differs from the recorded one{why}"
        for case in bundle.golden():
            if not case.error and rows_of(case.rows, axes):  # without rows, the recorded answer is the graph's
                same += _same_bits(case, check_answers(original, case, words))
                count += 1
    return {"cases": count, "same_bits": same, "within_tolerance": count - same}, libraries


def _same_bits(case: GoldenCase, got: Table) -> bool:
    """Whether every bit is the same."""
    return all(_equal(want, got[name]) for name, want in case.answers.items())


def _equal(want: Array, got: Array) -> bool:
    if want.dtype.kind != "f":
        return bool((want == got).all())
    return want.dtype == got.dtype and bool(np.array_equal(want, got, equal_nan=True))
