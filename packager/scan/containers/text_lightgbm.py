"""LightGBM's models, which are text."""

from __future__ import annotations

from ..scanner import Scanner, holds_data

SCANNER = Scanner(
    name="text_lightgbm",
    title="LightGBM's text files",
    sniff=lambda path, head: head.lstrip().startswith(b"tree") and b"num_tree_per_iteration=" in head,
    scan=holds_data("text_lightgbm"),
)
