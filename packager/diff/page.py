"""The comparison of two bundles as one HTML page without scripts or network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlpack_toolkit import templates

from ..bundle.report import for_html
from ..paths import beside
from .text import Facts, parts
from .verdict import ALIKE, SAME, WORDS


def write_page(facts: Facts, path: Path) -> None:
    """Writes the page; an older file is there until the new one is whole."""
    values: dict[str, Any] = {
        "a": facts["a"],
        "b": facts["b"],
        "verdict": facts["verdict"],
        "words": WORDS[facts["verdict"]],
        "good": facts["verdict"] in (SAME, ALIKE),
        "parts": list(parts(facts).items()),
    }
    page = templates.render("diff", {key: for_html(value) for key, value in values.items()})["diff.html"]
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside(path.absolute()) as folder:
        (folder / path.name).write_bytes(page)
        (folder / path.name).replace(path)
