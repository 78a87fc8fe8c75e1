"""`mlpack reproduce`: the original's environment made again, the original asked again, its answers compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from converters._table import rows_of
from converters.spec import Table

from .bundle.reader import Bundle, check_files, open_bundle
from .environments import rebuild
from .environments.system import machine
from .errors import EnvironmentFault, MismatchError
from .golden import GoldenCase
from .original import original_worker
from .verify.comparison import compare, worst

Array = np.ndarray[Any, Any]
Progress = Callable[[str], None]


def reproduce(
    folder: Path, into: Path, python: str | None, allow: Sequence[str], progress: Progress = lambda step: None
) -> dict[str, Any]:
    """What was rebuilt and how its answers compare: `bits` where all are the same, else `tolerance`.

    Raises `DamagedError` for a bundle that was changed, `EnvironmentFault` where the environment cannot be made again,
    `MismatchError` where the original answers otherwise than it did.
    """
    bundle = open_bundle(folder)
    progress("checking every digest")
    check_files(bundle)
    wanted = bundle.json("environment/environment.json")
    missing = _missing(bundle, wanted)
    _check_complete(wanted, missing)
    progress("installing the environment")
    interpreter = rebuild(folder, wanted, into, python)
    progress("asking the original again")
    return {
        "bundle": str(folder),
        "environment": str(into),
        "interpreter": {"wanted": wanted["interpreter"]["version"], "found": interpreter.version},
        "distributions": len(wanted["distributions"]) - len(missing),
        "golden": _asked_again(bundle, interpreter.path, allow),
        "differs": _otherwise(wanted, bundle.json("measurements/machine.json"), interpreter),
    }


def _missing(bundle: Bundle, wanted: Mapping[str, Any]) -> set[str]:
    """Distributions that the lock does not hold."""
    import tomllib
    from packaging.utils import canonicalize_name

    locked = {p["name"] for p in tomllib.loads((bundle.folder / "environment/pylock.toml").read_text())["packages"]}
    own = (each["name"] for each in wanted["distributions"] if each["origin"] != "conda")
    return {str(canonicalize_name(name)) for name in own} - locked


def _check_complete(wanted: Mapping[str, Any], missing: set[str]) -> None:
    """`EnvironmentFault` where the lock lacks what the model needs."""
    from packaging.utils import canonicalize_name

    lacking = [d for d in wanted["distributions"] if d.get("needed") and canonicalize_name(d["name"]) in missing]
    if lacking:
        named = ", ".join(f"{d['name']} {d['version']}" for d in lacking)
        raise EnvironmentFault(
            f"the bundle's lock has no wheel for {named}, which the model needs (its manifest says why): "
            "build the bundle again with --vendor"
        )


def _otherwise(wanted: Mapping[str, Any], before: Mapping[str, Any], interpreter: Any) -> list[str]:
    """What is not as it was where the bundle was built, and can change the last bits."""
    now, differing = machine(), []
    if not interpreter.exact:
        differing.append(f"Python {interpreter.version} for {wanted['interpreter']['version']}")
    if now["libc"] != wanted["libc"]:
        differing.append(f"{now['libc']} for {wanted['libc']}")
    if (now["cpu"], now["cpu_flags"]) != (before.get("cpu"), before.get("cpu_flags")):
        differing.append(f"processor {now['cpu']} for {before.get('cpu')} (or one with other instructions)")
    return differing


def _asked_again(bundle: Bundle, python: str, allow: Sequence[str]) -> dict[str, Any]:
    """How many cases were answered with the very bits, and how many within their tolerance only."""
    same = count = 0
    with original_worker(bundle, python, allow) as (worker, _, scratch):
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
