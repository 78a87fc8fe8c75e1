"""`mlpack reproduce`: the original's environment made again, the original asked again, its answers compared."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpack_toolkit.converters.spec import Table
from mlpack_toolkit.converters.table import rows_of

from ..bundle.golden import GoldenCase
from ..bundle.reader import Bundle, check_files, open_bundle
from ..environments import rebuild
from ..environments.system import kernels, machine
from ..equivalence.runners import Original, check_answers
from ..original.reload import original_worker
from ..request import Options

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
    """What was rebuilt and how its answers compare: `bits` where all are the same, else `tolerance`.

    Raises `DamagedError` for a bundle that was changed, `EnvironmentFault` where the environment cannot be made again,
    `MismatchError` where the original answers otherwise than it did.
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
    progress("asking the original again")
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
    """What is not as it was where the bundle was built, and can change the last bits. `libraries`: those of linear
    algebra that the original has loaded, where it is loaded."""
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
    """Who multiplied matrices where the bundle was built, and who does here; unknown of an interpreter of its own."""
    recorded = before.get("libraries", []) if libraries is not None else []
    return {"recorded": kernels(recorded), "present": kernels(libraries or [])}


def _asked_again(
    bundle: Bundle, interpreter: Interpreter, allow: Sequence[str], wanted: Mapping[str, Any], before: Mapping[str, Any]
) -> tuple[dict[str, Any], Libraries | None]:
    """How many cases were answered with the very bits, and how many within their tolerance only; and the libraries of
    linear algebra that answered."""
    same = count = 0
    axes, options = bundle.signature.batch_axes, {bundle.source.framework: interpreter.given}
    asked = original_worker(bundle, interpreter.path or sys.executable, allow, options)
    with asked as (worker, loaded, scratch):
        libraries = None if loaded.own_environment else loaded.libraries
        differing = _otherwise(wanted, before, interpreter, libraries)
        why = f"; not as it was: {'; '.join(differing)}" if differing else ""
        original, words = Original(worker, scratch, bundle.signature), f"the original does not answer as it did{why}"
        for case in bundle.golden():
            if not case.error and rows_of(case.rows, axes):  # of no rows, the answer is the graph's own
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
