"""`mlpack reproduce`: the original's environment made again, the original asked again, its answers compared."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from converters._table import rows_of
from converters.spec import Table

from .bundle.reader import Bundle, check_files, open_bundle
from .environments import rebuild
from .environments.system import machine
from .errors import MismatchError
from .golden import GoldenCase
from .original import original_worker
from .verify.comparison import compare, worst

Array = np.ndarray[Any, Any]
Progress = Callable[[str], None]


def reproduce(
    folder: Path,
    into: Path,
    python: str | None,
    allow: Sequence[str],
    progress: Progress = lambda step: None,
    rscript: str | None = None,
) -> dict[str, Any]:
    """What was rebuilt and how its answers compare: `bits` where all are the same, else `tolerance`.

    Raises `DamagedError` for a bundle that was changed, `EnvironmentFault` where the environment cannot be made again,
    `MismatchError` where the original answers otherwise than it did.
    """
    bundle = open_bundle(folder)
    progress("checking every digest")
    check_files(bundle)
    wanted = bundle.json("environment/environment.json")
    progress("installing the environment")
    with tempfile.TemporaryDirectory(prefix="mlpack-") as scratch:
        held = bundle.held(Path(scratch), "environment/").place
        interpreter = rebuild(held, wanted, into, python, rscript)
    progress("asking the original again")
    return {
        "bundle": str(folder),
        "environment": str(into),
        "interpreter": {
            "implementation": wanted["interpreter"]["implementation"],
            "wanted": wanted["interpreter"]["version"],
            "found": interpreter.version,
        },
        "distributions": interpreter.installed,
        "golden": _asked_again(bundle, interpreter, allow),
        "differs": _otherwise(wanted, bundle.json("measurements/machine.json"), interpreter),
    }


def _otherwise(wanted: Mapping[str, Any], before: Mapping[str, Any], interpreter: Any) -> list[str]:
    """What is not as it was where the bundle was built, and can change the last bits."""
    now, differing = machine(), []
    if not interpreter.exact:
        said = wanted["interpreter"]
        differing.append(f"{said['implementation']} {interpreter.version} for {said['version']}")
    if now["libc"] != wanted["libc"]:
        differing.append(f"{now['libc']} for {wanted['libc']}")
    if (now["cpu"], now["cpu_flags"]) != (before.get("cpu"), before.get("cpu_flags")):
        differing.append(f"processor {now['cpu']} for {before.get('cpu')} (or one with other instructions)")
    return differing


def _asked_again(bundle: Bundle, interpreter: Any, allow: Sequence[str]) -> dict[str, Any]:
    """How many cases were answered with the very bits, and how many within their tolerance only."""
    same = count = 0
    with original_worker(bundle, interpreter.path or sys.executable, allow, interpreter.rscript) as (
        worker,
        _,
        scratch,
    ):
        for case in bundle.golden():
            if not case.error and rows_of(case.rows):  # of no rows, the answer is the graph's own
                same += _same_bits(case, worker.predict(case.rows, scratch))
                count += 1
    return {"cases": count, "same_bits": same, "within_tolerance": count - same}


def _same_bits(case: GoldenCase, got: Table) -> bool:
    """Whether every bit is the same; `MismatchError` where an answer is beyond the tolerance."""
    kinds = np.full(len(next(iter(case.answers.values()))), case.probe, object)
    comparison = compare(case.answers, got, kinds, case.tolerances or {})
    if not comparison.equal:
        rows = worst(case.rows, case.answers, got, kinds, comparison.differs)
        raise MismatchError(f"{case.identifier} ({case.probe}): the original answers otherwise than it did", worst=rows)
    return all(_equal(want, got[name]) for name, want in case.answers.items())


def _equal(want: Array, got: Array) -> bool:
    if want.dtype.kind != "f":
        return bool((want == got).all())
    return want.dtype == got.dtype and bool(np.array_equal(want, got, equal_nan=True))
