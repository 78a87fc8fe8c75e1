"""Holds the variants of a bundle to their gates again, on this machine: for `mlpack verify`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.table import read_table
from mlpack_toolkit.runtimes.engine.rules import violations

from ..bundle.reader import Bundle
from ..equivalence.runners import Graph
from ..equivalence.session import session_of
from ..errors import DamagedError, MismatchError
from .gate import HALF, Gate, Judged, judge
from .making import is_finite, takes
from .metrics import METRICS
from .rows import Rows, read_rows

OWN = "its metric is a function of the author's, which verify does not run"
ABSENT = "its rows are not in the bundle: give them with --rows"


def hold_again(bundle: Bundle, graph: Graph, variant: str, given: Path | None = None) -> tuple[int, dict[str, Any]]:
    """The number of golden cases that the variant answers with finite numbers where the original does, and what came
    of its gate. `given`: a file with the gate's rows.

    Raises `MismatchError` where it misses the gate here, or answers a case with numbers that are not finite.
    """
    signature, count = bundle.variant(variant).signature, 0
    for case in bundle.golden():
        if not case.error and takes(signature, case):
            if not is_finite(graph, case):
                raise MismatchError(
                    f"{case.identifier} ({case.probe}): {graph.name} stops, or is not finite where the original is"
                )
            count += 1
    gate = bundle.proof(variant).gate
    if why := _why_not(gate, given):
        return count, {"metric": gate["metric"], "not_held": why}
    found = _judged(bundle, graph, gate, _rows(bundle, gate, given))
    if not found.holds:
        raise MismatchError(f"{graph.name} misses its gate on this machine: {found.words}", gate=found.to_json())
    return count, found.to_json()


def _why_not(gate: Any, given: Path | None) -> str:
    """Why the gate cannot be held again; empty where it can be."""
    if gate["metric"] not in METRICS and gate["metric"] != HALF.name:
        return OWN
    return ABSENT if given is None and "path" not in gate else ""


def _judged(bundle: Bundle, graph: Graph, gate: Any, rows: Rows) -> Judged:
    parent = Graph("the reference", session_of(bundle))
    outputs = gate["outputs"]
    return judge(
        Gate(gate["metric"], gate["limit"], outputs[0] if len(outputs) == 1 else ""), parent, graph, rows.tables
    )


def _rows(bundle: Bundle, gate: Any, given: Path | None) -> Rows:
    """The gate's rows, whose digest is that of the build; `DamagedError` and `MismatchError` for others."""
    if given is not None:
        rows = read_rows(given, bundle.signature)
    else:
        with tempfile.TemporaryDirectory(prefix="mlpack-") as name:
            place = Path(name) / "rows.npz"
            place.write_bytes(bundle.read(gate["path"]))
            try:
                rows = Rows((read_table(place),), bundle.signature, gate["path"])
                fits = set(rows.whole) == {t.name for t in bundle.signature.inputs}
                fits = fits and next(violations(bundle.signature, rows.whole), None) is None
            except (ValueError, KeyError, OSError, MemoryError) as error:
                raise DamagedError(
                    f"{gate['path']} of the bundle {bundle.place.name} holds no rows: {error}"
                ) from error
            if not fits:
                raise DamagedError(f"{gate['path']} of the bundle {bundle.place.name} does not fit the signature")
    if rows.sha256 != gate["sha256"]:
        where = given.name if given else gate["path"]
        raise MismatchError(f"the rows in {where} are not those that the variant was held on: give that file")
    return rows
