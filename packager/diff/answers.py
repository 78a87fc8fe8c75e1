"""Runs one bundle's graph on the golden cases of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mlpack_toolkit.converters.spec import REALS, Axes, Dim, Signature, Table, TensorSpec
from mlpack_toolkit.converters.table import rows_of
from mlpack_toolkit.runtimes.engine.rules import violations

from ..bundle.golden import GoldenCase
from ..bundle.reader import Bundle
from ..equivalence.comparison import Errors, compare
from ..equivalence.session import Session, session_of
from ..errors import DamagedError, LateError, MismatchError


def answers(graph: Bundle, cases: Bundle) -> dict[str, Any]:
    """Runs one bundle's graph on the other's cases and compares the answers.

    `why`: the reason why the cases do not fit the graph at all, else empty. `refused`: cases that the other's original
    answers and this one's rules refuse, with the first reason; `no_longer_refused`: the reverse. `outputs`: per output
    the rows compared, those that differ beyond the cases' own tolerance, the largest differences (None where there is
    no distance: labels, text) and the case that has the largest.
    """
    found: dict[str, Any] = {"why": "", "asked": 0, "both_refuse": 0, "refused": [], "no_longer_refused": []}
    found |= {"outputs": [], "not_compared": []}
    try:
        session = session_of(graph)
    except DamagedError as error:
        return found | {"why": str(error)}
    why = next(_obstacles(session.signature, cases.signature), "")
    if why:
        return found | {"why": why}
    found["not_compared"] = list(_incomparable(graph.signature, cases.signature))
    left_out = {each["output"] for each in found["not_compared"]}
    tallies = {t.name: _empty(t.name) for t in cases.signature.outputs if t.name not in left_out}
    for case in cases.golden():
        found["asked"] += 1
        _ask(session, case, found, tallies)
    return found | {"outputs": list(tallies.values())}


def _obstacles(takes: Signature, has: Signature) -> Iterator[str]:
    """The reasons why requests for one signature do not fit another."""
    given = {t.name: t for t in has.inputs}
    for spec in takes.inputs:
        other = given.get(spec.name)
        if other is None:
            yield f"it takes the input {spec.name!r}, which the cases do not have"
        elif spec.is_text != other.is_text:
            kinds = ("text", "numbers") if spec.is_text else ("numbers", "text")
            yield f"the input {spec.name!r} takes {kinds[0]}, and the cases contain {kinds[1]}"
        elif not _shapes_agree(spec.shape, other.shape):
            yield f"the input {spec.name!r} has the shape {list(spec.shape)}, in the cases {list(other.shape)}"
        elif spec.columns and other.columns and spec.columns != other.columns:
            yield f"the columns of the input {spec.name!r} differ in the cases, or are in another order"


def _shapes_agree(a: tuple[Dim, ...], b: tuple[Dim, ...]) -> bool:
    """Whether rows of one shape fit the other; a named dimension has any size, and [N, 1] equals [N]."""
    if not a or not b:
        return a == b
    tails = a[1:] or (1,), b[1:] or (1,)
    pairs = zip(*tails, strict=False)
    return len(tails[0]) == len(tails[1]) and all(isinstance(x, str) or isinstance(y, str) or x == y for x, y in pairs)


def _incomparable(graph: Signature, cases: Signature) -> Iterator[dict[str, str]]:
    """The outputs of the cases that cannot be compared with the graph's, each with the reason."""
    own = {t.name: t for t in graph.outputs}
    for spec in cases.outputs:
        why = _other_output(own.get(spec.name), spec)
        if why:
            yield {"output": spec.name, "why": why}


def _other_output(own: TensorSpec | None, spec: TensorSpec) -> str:
    if own is None:
        return "the graph has no such output"
    if own.is_text != spec.is_text:
        return f"{own.dtype} from the graph, {spec.dtype} in the cases"
    if len(own.shape) != len(spec.shape) or not _shapes_agree(own.shape, spec.shape):
        return f"{list(own.shape)} from the graph, {list(spec.shape)} in the cases"
    if own.columns and spec.columns and own.columns != spec.columns:
        return "its columns are other classes than in the cases, or in another order"
    return ""


def _empty(name: str) -> dict[str, Any]:
    return {"output": name, "rows": 0, "differ": 0, "max_abs": None, "max_rel": None, "worst": None}


def _ask(session: Session, case: GoldenCase, found: dict[str, Any], tallies: Mapping[str, dict[str, Any]]) -> None:
    reason = _refusal(session.signature, case.rows)
    if case.error and reason:
        found["both_refuse"] += 1
    elif case.error:
        found["no_longer_refused"].append({"case": case.identifier, "reason": case.error})
    elif reason:
        found["refused"].append({"case": case.identifier, "reason": reason})
    else:
        try:
            got = session.run(case.rows)
        except LateError:
            raise
        except MismatchError as error:
            found["refused"].append({"case": case.identifier, "reason": str(error)})
        else:
            _count(case, got, tallies, session.signature.batch_axes)


def _refusal(signature: Signature, rows: Table) -> str:
    """The reason why these rows are refused; empty where they are accepted."""
    for spec in signature.inputs:
        if not _fits(spec, rows[spec.name]):
            return f"column {spec.name!r}: a number that {spec.dtype} cannot represent"
    for spec in signature.inputs:
        shape = spec.as_written(rows[spec.name]).shape
        if not _taken(spec, shape):
            return f"input {spec.name!r}: the shape {list(shape)}, and the graph takes {list(spec.shape)}"
    return str(next(violations(signature, rows), ""))


def _taken(spec: TensorSpec, shape: tuple[int, ...]) -> bool:
    """Whether the graph takes a tensor of this shape; a column may be bare."""
    pairs = zip(spec.shape, shape, strict=False)
    return all(isinstance(dim, str) or dim == size for dim, size in pairs)


def _fits(spec: TensorSpec, values: np.ndarray[Any, Any]) -> bool:
    """Whether an integer or boolean type represents every number exactly; floats round, as everywhere."""
    if spec.is_text or spec.dtype in REALS:
        return True
    with np.errstate(invalid="ignore", over="ignore"):
        return bool(np.array_equal(values.astype(spec.dtype).astype(values.dtype), values))


def _count(case: GoldenCase, got: Table, tallies: Mapping[str, dict[str, Any]], axes: Axes) -> None:
    want = {name: case.answers[name] for name in tallies}
    if not want:
        return
    allowed = case.tolerances or {}
    kinds = np.full(rows_of(want, axes), case.identifier, object)
    errors = compare(want, got, kinds, allowed, axes).errors.get(case.identifier, {})
    for name, error in errors.items():
        measured = name in allowed and got[name].shape == want[name].shape
        _add(tallies[name], case.identifier, error, measured)


def _add(tally: dict[str, Any], case: str, error: Errors, measured: bool) -> None:
    """Adds a case. `worst` is the case of the largest difference; without a measure, the first that differs."""
    if measured:
        larger = error.max_abs > (tally["max_abs"] or 0.0)
        tally["max_abs"] = max(error.max_abs, tally["max_abs"] or 0.0)
        tally["max_rel"] = max(error.max_rel, tally["max_rel"] or 0.0)
    else:
        larger = error.mismatches > 0 and tally["worst"] is None
    tally["rows"] += error.rows
    tally["differ"] += error.mismatches
    tally["worst"] = case if larger else tally["worst"]
