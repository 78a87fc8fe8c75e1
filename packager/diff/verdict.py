"""Says in one word what a comparison of two bundles came to, and holds it to a gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import MismatchError

SAME = "same"
ALIKE = "answers alike"
DIFFER = "answers differ"
APART = "not comparable"
WORDS = {
    SAME: "the bundles are the same, byte for byte",
    ALIKE: "other bundles; each graph answers the other's golden cases within their tolerances",
    DIFFER: "a graph answers golden cases of the other bundle otherwise, or only one side refuses them",
    APART: "the golden cases of one do not fit the graph of the other",
}
"""By verdict, its meaning."""
GATES: Mapping[str, tuple[str, ...]] = {"same": (SAME,), "answers": (SAME, ALIKE)}
"""By gate, the verdicts that pass."""
Facts = Mapping[str, Any]


def verdict(same: bool, answers: Sequence[Facts]) -> str:
    """One of `WORDS`. `answers`: of each graph on the other's cases."""
    if same:
        return SAME
    if any(each["why"] or each["not_compared"] for each in answers):
        return APART
    return DIFFER if any(map(_differ, answers)) else ALIKE


def _differ(facts: Facts) -> bool:
    return bool(facts["refused"] or facts["no_longer_refused"] or any(each["differ"] for each in facts["outputs"]))


def check_gate(facts: Facts, gate: str | None) -> None:
    """Raises `MismatchError` where the verdict does not pass the gate."""
    if gate is not None and facts["verdict"] not in GATES[gate]:
        raise MismatchError(f"{facts['verdict']}: {WORDS[facts['verdict']]} (gate: {gate})", diff=dict(facts))
