"""A variant that the machine that makes it cannot run: what will hold it is written down, and nothing is proved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..variants.spec import HALF, Made
from .making import Held, Making
from .rows import Rows


def unproved(making: Making) -> Held:
    """The variant as it was made: held to nothing before `mlpack verify` runs on a machine that can run it."""
    made = making.make(frozenset(), None)
    rows = making.rows() if making.asked.metric or made.held == HALF else None
    gate = _gate(making, made, rows) if rows else {}
    report = replace(making.report(made, gate, ()), proved=False)
    tolerances = {} if gate else making.proven.report.tolerances
    return Held(made, made.signature or making.proven.signature, report, tolerances, rows)


def _gate(making: Making, made: Made, rows: Rows) -> dict[str, Any]:
    """The gate without a value."""
    gate = making.gate(made.held)
    count = sum(1 for _ in rows.digests())
    outputs = [gate.output] if gate.output else []
    held = {"metric": gate.metric, "limit": gate.limit, "rows": count, "outputs": outputs}
    return {**held, "source": rows.source, "sha256": rows.sha256}
