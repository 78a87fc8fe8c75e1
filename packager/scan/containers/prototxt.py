"""Caffe's nets: a prototxt, which is text, or the caffemodel that belongs to it; the other is beside it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters._caffe_files.pair import TEXT, WEIGHTS, pair
from mlpack_toolkit.converters._caffe_files.text import Message, parse
from mlpack_toolkit.converters.spec import Unreadable

from ...errors import ModelError, UntrustedError
from ..scanner import Scanner, holds_data

SUFFIXES = (TEXT, WEIGHTS)


def sniff(path: Path, head: bytes) -> bool:
    """Whether the name is that of a net or of its weights: neither has distinct first bytes."""
    return path.suffix.lower() in SUFFIXES


def beside(path: Path) -> tuple[Path, ...]:
    """The other file of the two; it is no link."""
    text, weights = _pair(path)
    _parsed(text)
    other = weights if path == text else text
    if other is None:
        return ()
    if other.is_symlink():
        raise UntrustedError(f"{other} is a link: put the file itself beside {path.name}.", names=[other.name])
    return (other.parent.resolve() / other.name,)


def look(path: Path) -> dict[str, Any]:
    """Inputs, and how many layers of each type there are."""
    text, weights = _pair(path)
    net = _parsed(text)
    layers = (*net.messages("layer"), *net.messages("layers"))
    kinds = Counter(each.text("type") for each in layers)
    tops = [top for each in layers if each.text("type") == "Input" for top in each.texts("top")]
    return {
        "prototxt": text.name,
        "weights": weights.name if weights is not None else "none",
        "inputs": [*net.texts("input"), *tops],
        "layers": [f"{kind or 'no type'}: {count}" for kind, count in sorted(kinds.items())],
    }


def _pair(path: Path) -> tuple[Path, Path | None]:
    try:
        return pair(path)
    except Unreadable as error:
        raise ModelError(f"{error}.") from error


def _parsed(text: Path) -> Message:
    try:
        return parse(text.read_bytes(), text.name)
    except Unreadable as error:
        raise ModelError(f"{error}.") from error


SCANNER = Scanner(
    name="prototxt",
    title="Caffe's .prototxt and .caffemodel",
    sniff=sniff,
    scan=holds_data("prototxt"),
    beside=beside,
    look=look,
    suffixes=SUFFIXES,
)
