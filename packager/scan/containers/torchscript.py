"""TorchScript: a program with its numbers, which torch runs as it is loaded and asked."""

from __future__ import annotations

from pathlib import Path

from ..allowlist import Trust
from ..result import Scan
from ..scanner import Scanner
from ..torch_files import SCRIPT, opened

NAME = "torchscript"


def scan(path: Path, trust: Trust) -> Scan | None:
    """The word by which the user allows such a program, as its one name; None for another archive."""
    with opened(path) as records:
        if records is None or records.kind != SCRIPT:
            return None
    own = (NAME,) if trust.allows(NAME) else ()
    return Scan(NAME, (NAME,), () if own else (NAME,), own=own)


SCANNER = Scanner(
    name=NAME,
    title="TorchScript",
    sniff=lambda path, head: head.startswith(b"PK"),
    scan=scan,
)
