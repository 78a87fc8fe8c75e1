"""Writes a bundle's `README.md`: what it is, the verdict, what to open next."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mlpack_toolkit import templates
from mlpack_toolkit.converters.spec import Signature, TensorSpec

from ..equivalence.report import VerificationReport

MOST_LINES = 40
MOST_CLASSES = 20
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def readme(facts: Mapping[str, Any], proof: VerificationReport, paths: Iterable[str]) -> dict[str, bytes]:
    """The file by its path, deterministic. `paths`: the bundle's other files."""
    signature = Signature.from_json(facts["signature"])
    values = {
        **{key: plain(str(facts[key])) for key in ("title", "framework", "mlpack")},
        "heading": plain(f"{facts['name']} {facts['version']}"),
        "name": facts["name"],
        "version": facts["version"],
        "source": code(str(facts["source"])),
        "notes": [plain(note) for note in facts["notes"]],
        "task": plain(signature.task),
        "equal": proof.equal,
        "rows": proof.rows,
        "mismatches": proof.mismatches,
        "precision": proof.precision,
        "user_tolerance": proof.user_tolerance,
        "guides": sorted(p for p in paths if re.fullmatch(r"deploy/[a-z0-9_-]+/README\.md", p)),
        "inputs": _lines(signature.inputs, _missing),
        "outputs": _lines(signature.outputs, lambda tensor: _classes(tensor, signature.classes)),
    }
    return templates.render("bundle", values)


def _lines(tensors: tuple[TensorSpec, ...], more_of: Callable[[TensorSpec], str]) -> list[str]:
    lines = [f"{code(t.name)}: {plain(t.dtype)}{more_of(t)}" for t in tensors[:MOST_LINES]]
    more = len(tensors) - MOST_LINES
    return [*lines, f"and {more} more, see `manifest.json`"] if more > 0 else lines


def _missing(tensor: TensorSpec) -> str:
    return "" if tensor.features else f", {'may be' if tensor.nullable else 'never'} missing"


def _classes(tensor: TensorSpec, classes: Sequence[object]) -> str:
    """The class of each column of the probabilities."""
    if tensor.name != "probabilities" or not 0 < len(classes) <= MOST_CLASSES:
        return ""
    return f", a column for each class: {', '.join(code(str(each)) for each in classes)}"


def plain(text: str) -> str:
    """The text with all Markdown and HTML markup escaped."""
    return _PUNCTUATION.sub(lambda found: found[0] if found[0] in ".,:;'\"()/" else f"\\{found[0]}", _printable(text))


def code(text: str) -> str:
    """The text as a code span with a fence longer than any run of backticks in it."""
    inside = _printable(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", inside)), default=0))
    pad = " " if not inside or inside[0] in "` " or inside[-1] in "` " else ""
    return f"{fence}{pad}{inside}{pad}{fence}"


def _printable(text: str) -> str:
    """The text in one line, with invisible characters escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
