"""Files of R's `saveRDS` or `save`, compressed or not: R may evaluate their content, in a sandbox of its own."""

from __future__ import annotations

from mlpack_toolkit.converters.rds import is_rds

from ..scanner import Scanner, holds_data

SCANNER = Scanner(
    name="rds",
    title="files of R (.rds, .RData)",
    sniff=lambda path, head: is_rds(head),
    scan=holds_data("rds"),
)
