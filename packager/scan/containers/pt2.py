"""Exported programs of torch: a graph in JSON, with the numbers beside it, in a zip archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlpack_toolkit.converters._trust.rules import Refused

from ..allowlist import Trust
from ..exported import check_program, program_of, require_new
from ..exported_look import told
from ..result import Scan
from ..scanner import Scanner
from ..torch_files import PROGRAM, opened
from ..values import Fault


def scan(path: Path, trust: Trust) -> Scan | None:
    """The operators that torch does not define, as names; None for another archive."""
    with opened(path) as records:
        if records is None or records.kind != PROGRAM:
            return None
        require_new(records, path)
        try:
            foreign = check_program(records, trust)
        except Refused as refused:
            return Scan("pt2", forbidden=str(refused))
        except (AttributeError, KeyError, TypeError) as error:
            raise Fault("its JSON is not what torch writes") from error
    own = {pair for pair in foreign if trust.use(*pair) == "own"}
    return Scan("pt2", _dotted(foreign), _dotted(foreign - own), own=_dotted(own))


def _dotted(pairs: set[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(sorted(f"{module}.{name}" for module, name in pairs))


def look(path: Path) -> dict[str, Any]:
    """Inputs, outputs, ranges of sizes, and operators; of a program that loads no code."""
    with opened(path) as records:
        assert records is not None
        return told(program_of(records))


SCANNER = Scanner(
    name="pt2",
    title="exported programs of torch (.pt2)",
    sniff=lambda path, head: head.startswith(b"PK"),
    scan=scan,
    look=look,
)
