"""XGBoost's models in JSON and in UBJSON, which both begin with the learner."""

from __future__ import annotations

from pathlib import Path

from ..scanner import Scanner, holds_data


def sniff(path: Path, head: bytes) -> bool:
    """Whether the first key is the learner, in either form."""
    start = head.lstrip()[:64]
    return start.startswith(b"{") and b"learner" in start and (b'"learner"' in start or b"L\0" in start)


SCANNER = Scanner(
    name="json_xgboost",
    title="XGBoost's .json and .ubj",
    sniff=sniff,
    scan=holds_data("json_xgboost"),
)
