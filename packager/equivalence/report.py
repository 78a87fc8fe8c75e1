"""The verification report: the content of `reports/verification.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..bundle.golden import Tolerance
from .comparison import Errors
from .noise import Noise

FORMAT = 1
ORDINARY = ("example", "between")
"""Kinds of rows as they come: of the example, and between its rows."""


@dataclass(frozen=True)
class VerificationReport:
    """The comparison of the graph with the original.

    `probes`: by kind and output, rows, mismatches and largest errors. `refused`: by kind, how many rows the original
    rejects, as every runtime does. `known`: by kind and column, how many of the model's thresholds or values were
    tried. `tried`: precisions that did not pass, and why. `worst`: rows that differ (none when equal).
    `noise`: by kind of probe and output, how far the original is from itself, where it has noise.
    `again`: the comparison with another processor's linear algebra, where that may matter.
    """

    precision: str
    provider: str
    tolerances: Mapping[str, Tolerance]
    user_tolerance: bool
    probes: Mapping[str, Mapping[str, Errors]]
    refused: Mapping[str, int]
    known: tuple[tuple[str, str, int, int], ...]
    tried: Mapping[str, str]
    worst: tuple[dict[str, Any], ...] = ()
    again: Mapping[str, Any] | None = None
    noise: Mapping[str, Noise] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows compared, over all kinds."""
        return sum(next(iter(kinds.values())).rows for kinds in self.probes.values() if kinds)

    @property
    def mismatches(self) -> int:
        """Rows that differ in some output, at least."""
        return sum(max((e.mismatches for e in kinds.values()), default=0) for kinds in self.probes.values())

    @property
    def equal(self) -> bool:
        return self.mismatches == 0

    @property
    def tolerance_used(self) -> float:
        """The largest error on rows as they come, as a share of its tolerance."""
        return max((e.share for kind in ORDINARY for e in self.probes.get(kind, {}).values()), default=0.0)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> VerificationReport:
        """The report that `to_json` wrote."""
        return cls(
            precision=plain["precision"],
            provider=plain["provider"],
            tolerances={name: Tolerance(**each) for name, each in plain["tolerances"].items()},
            user_tolerance=plain["tolerance_given_by_user"],
            probes={k: {n: Errors(**each) for n, each in found.items()} for k, found in plain["probes"].items()},
            refused=plain["refused"],
            known=tuple((k["probe"], k["column"], k["tried"], k["known"]) for k in plain["tried_of_known"]),
            tried=plain["other_precisions"],
            worst=tuple(plain["worst"]),
            again=plain.get("other_processor"),
            noise=plain.get("noise", {}),
        )

    def to_json(self) -> dict[str, Any]:
        """The JSON object of this report."""
        return {
            "format": FORMAT,
            "verdict": "equal" if self.equal else "different",
            "precision": self.precision,
            "provider": self.provider,
            "rows": self.rows,
            "mismatches": self.mismatches,
            "tolerances": {n: {"rtol": t.rtol, "atol": t.atol} for n, t in self.tolerances.items()},
            "tolerance_given_by_user": self.user_tolerance,
            "tolerance_used": self.tolerance_used,
            "probes": {k: {n: e.to_json() for n, e in v.items()} for k, v in self.probes.items()},
            "refused": dict(self.refused),
            "tried_of_known": [{"probe": k, "column": c, "tried": t, "known": n} for k, c, t, n in self.known],
            "other_precisions": dict(self.tried),
            "worst": list(self.worst),
            **({"noise": {k: dict(v) for k, v in self.noise.items()}} if self.noise else {}),
            **({"other_processor": dict(self.again)} if self.again else {}),
        }
