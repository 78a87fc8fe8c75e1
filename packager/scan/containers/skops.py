"""Archives of skops: a zip with a schema that names the classes."""

from __future__ import annotations

import zipfile
from pathlib import Path

from ..allowlist import Trust
from ..machine import Trace
from ..result import Scan
from ..scanner import Scanner
from ..skops_files import SCHEMA, scan_skops
from ..values import Fault
from ._traced import traced


def scan(path: Path, trust: Trust) -> Scan | None:
    """The names in the schema; None for another zip."""
    trace = Trace(trust)
    try:
        with zipfile.ZipFile(path) as archive:
            if SCHEMA not in archive.namelist():
                return None
            root = scan_skops(archive, trace)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise Fault(f"its zip archive is damaged ({error})") from error
    return traced("skops", trace, root)


SCANNER = Scanner(
    name="skops",
    title="skops archives",
    sniff=lambda path, head: head.startswith(b"PK"),
    scan=scan,
)
