"""State dicts that `torch.save` wrote: tensors by name, without the module that they belong to."""

from __future__ import annotations

from pathlib import Path

from ..allowlist import Trust
from ..result import Scan
from ..scanner import Scanner
from ..torch_files import DICTS, PICKLE, opened, unpickled
from ._traced import class_of, traced


def scan(path: Path, trust: Trust) -> Scan | None:
    """The names that the pickle asks for; None for another archive, and for one of a module."""
    with opened(path) as records:
        if records is None or records.kind != PICKLE:
            return None
        trace, value = unpickled(records, trust)
    root = class_of(value)
    return traced("torch_weights", trace, root) if root in DICTS else None


SCANNER = Scanner(
    name="torch_weights",
    title="state dicts of torch.save",
    sniff=lambda path, head: head.startswith(b"PK"),
    scan=scan,
)
