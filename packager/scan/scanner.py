"""The interface of a scanner: how to recognise files of a container, and find names in them that could run code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .allowlist import Trust
from .result import Scan

HEAD = 4096
"""The number of bytes at the start of a file that `sniff` gets."""


def _nothing(path: Path) -> tuple[Path, ...]:
    return ()


@dataclass(frozen=True)
class Scanner:
    """A container of models; `title` names its files in a sentence.

    `name`: the file's own name, and the `kind` of what it finds.
    `sniff(path, head)`: whether the content may be of this container (`head`: the first 4 KiB).
    `scan(path, trust)`: the names that its loader would look up; None where the file is of another container after all;
    raises `Fault` or `ModelError` for a damaged file.
    `beside(path)`: the files that the model refers to, checked: all in its folder, none reached by a link.
    `look(path)`: facts about a file, for `mlpack inspect`.
    `suffixes`: a file with such a suffix is read as this container where no scanner recognises its content.
    `last`: its files have no distinct first bytes, so all other scanners are tried first.
    `main`: the name of the file that makes a folder one model, whose other files are those `beside` it; empty: none.
    """

    name: str
    title: str
    sniff: Callable[[Path, bytes], bool]
    scan: Callable[[Path, Trust], Scan | None]
    beside: Callable[[Path], tuple[Path, ...]] = _nothing
    look: Callable[[Path], dict[str, Any]] | None = None
    suffixes: tuple[str, ...] = ()
    last: bool = False
    main: str = ""


def holds_data(kind: str) -> Callable[[Path, Trust], Scan]:
    """The scan of a container without names of code: only numbers and text."""
    return lambda path, trust: Scan(kind)
