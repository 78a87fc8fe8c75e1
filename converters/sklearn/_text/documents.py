"""Helpers of several text vectorizers: their options, text preprocessing, stop words."""

from __future__ import annotations

from typing import Any

from ..._graph.builder import Frame, GraphBuilder
from ...spec import Unsupported
from .alphabet import FINAL_SIGMA, SMALL_SIGMA
from .characters import preprocessed
from .words import Alphabet

STOP = -1
"""The number of every stop word."""


def refuse_options(fitted: Any) -> None:
    """Raises `Unsupported` for options that are a user's own function, or a file."""
    for name in ("preprocessor", "tokenizer"):
        if getattr(fitted, name) is not None:
            raise Unsupported(f"{name}={getattr(fitted, name)!r} of {type(fitted).__name__} has no converter")
    for name in ("strip_accents", "analyzer"):
        if callable(getattr(fitted, name)):
            raise Unsupported(f"{name} of {type(fitted).__name__} is a function of your own: choose a built-in one")
    if fitted.input != "content":
        raise Unsupported(f"input={fitted.input!r} of {type(fitted).__name__}: a graph reads no files")


def text_of(fitted: Any, frame: Frame, graph: GraphBuilder) -> str:
    """Returns the frame's only column, `string [N]`."""
    value = graph.columns(frame)[0]
    if value.dtype != "string":
        raise Unsupported(f"{type(fitted).__name__} expects text, but column {value.column!r} is {value.dtype}")
    return graph.op("Squeeze", value.name, graph.const([1], "int64"))


def preprocess(fitted: Any, text: str, known: set[str], graph: GraphBuilder) -> str:
    """Lower-cases and strips accents, as the options say; `known`: letters that later steps distinguish."""
    sigmas = not known.isdisjoint((SMALL_SIGMA, FINAL_SIGMA))
    return preprocessed(text, bool(fitted.lowercase), fitted.strip_accents or None, sigmas, graph)


def stop_words(fitted: Any, alphabet: Alphabet) -> list[str]:
    """Returns the stop words that can occur as tokens."""
    return sorted(w for w in frozenset(fitted.get_stop_words() or ()) if alphabet.holds(w))


def without_stops(values: str, ids: str, graph: GraphBuilder) -> str:
    """Moves the values `[N, W]` of stop words to the end, so that their neighbours become adjacent."""
    shape = graph.op("Shape", ids)
    length = graph.op("Gather", shape, graph.const([1], "int64"))
    last = graph.op("Squeeze", length)
    place = graph.op("Range", graph.const(0, "int64"), last, graph.const(1, "int64"))
    is_stop = graph.op("Equal", ids, graph.const([[STOP]], "int64"))
    behind = graph.op("Where", is_stop, length, graph.const([0], "int64"))
    _, order = graph.ops("TopK", (graph.op("Add", behind, place), length), 2, axis=1, largest=0, sorted=1)
    return graph.op("GatherElements", values, order, axis=1)
