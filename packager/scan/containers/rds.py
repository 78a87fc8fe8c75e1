"""Files that R saved, `saveRDS` or `save`, compressed or not: R may evaluate what they hold, in its own sandbox."""

from __future__ import annotations

from mlpack_toolkit.converters.rds import is_rds

from ..scanner import Scanner, holds_data

SCANNER = Scanner(
    name="rds",
    title="files of R (.rds, .RData)",
    sniff=lambda path, head: is_rds(head),
    scan=holds_data("rds"),
)
