"""CatBoost's models in its binary form."""

from __future__ import annotations

from ..scanner import Scanner, holds_data

SCANNER = Scanner(
    name="cbm",
    title="CatBoost's .cbm",
    sniff=lambda path, head: head.startswith(b"CBM1"),
    scan=holds_data("cbm"),
)
