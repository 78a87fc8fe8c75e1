"""Feature hashing of text: each term's column and sign come from its MurmurHash3, in a graph."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from .._graph.builder import Frame, GraphBuilder, Sparse, Value
from .._graph.sparse import dense, zeros
from .._steps.step import Answer, Step, always
from ..spec import Unsupported
from ._text import alphabet as abc
from ._text.characters import images, numbers_of, staying, tokens, white_space
from ._text.documents import STOP, preprocess, refuse_options, stop_words, text_of, without_stops
from ._text.murmurhash import hashes
from ._text.words import Alphabet

_DENSE = 1 << 16
_ANY = r"[\s\S]"
Terms = list[tuple[str, str, str]]
"""Terms `[N, W]`, whether each is present, and its count `[1, 1]` or `[N, W]`."""


def hashing(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Adds the terms of each row at the columns of their hashes; a subsequent linear model reads them as sparse."""
    import numpy as np

    refuse_options(fitted)
    if np.dtype(fitted.dtype).kind != "f":
        raise Unsupported(f"dtype={fitted.dtype!r} of HashingVectorizer has no converter; supported: float64, float32")
    by_words = fitted.analyzer == "word"
    one = Alphabet.of(fitted.token_pattern).one if by_words else _ANY
    letters = _letters(one, bool(fitted.lowercase), fitted.strip_accents or None)
    text = preprocess(fitted, text_of(fitted, frame, graph), set(letters), graph)
    terms = (_words if by_words else _characters)(fitted, text, graph)
    sparse = _summed(fitted, terms, letters, graph)
    name = dense(sparse, graph)
    graph.sparse[name] = sparse
    if sparse.width > _DENSE:
        graph.refused[name] = (
            f"n_features={fitted.n_features} of HashingVectorizer makes a dense table too wide for anything but a "
            f"linear model directly after it: set n_features to {_DENSE} or less"
        )
    return Answer(transformed=(Value(name, graph.real, sparse.width, held=_held(sparse, graph)),))


def _held(sparse: Sparse, graph: GraphBuilder) -> str:
    """Returns the cells with terms: the original's matrix also stores a cell whose terms sum to 0."""
    ones = graph.op("Expand", graph.const([1.0]), graph.op("Shape", sparse.values))
    return graph.op("Greater", dense(replace(sparse, values=ones), graph), graph.const(0.0))


@lru_cache(maxsize=4)
def _letters(one: str, lowercase: bool, strip_accents: Any) -> tuple[str, ...]:
    """Returns all characters that a term can contain, and the space between two words."""
    left = staying(lowercase, strip_accents) | set("".join(images(lowercase, strip_accents).values()))
    return tuple(sorted((left & abc.members(one)) | {" "}))


def _words(fitted: Any, text: str, graph: GraphBuilder) -> Terms:
    """Returns word n-grams, without stop words."""
    alphabet = Alphabet.of(fitted.token_pattern)
    # prepends a word, so that no operator below receives an empty batch, or one without a word
    padded = graph.op("Concat", graph.const([alphabet.letter() * alphabet.least]), text, axis=0)
    grid = tokens(padded, alphabet.expression(), graph)
    stops = stop_words(fitted, alphabet)
    if stops:
        ids = numbers_of(grid, dict.fromkeys(stops, STOP), graph)
        kept = graph.op("Where", graph.op("Equal", ids, graph.const([[STOP]], "int64")), graph.const([[""]]), grid)
        grid = without_stops(kept, ids, graph)
    least, most = fitted.ngram_range
    return [_run(grid, n, " ", graph)[:3] for n in range(least, most + 1)]


def _run(grid: str, n: int, between: str, graph: GraphBuilder) -> tuple[str, str, str, list[str]]:
    """Returns n-grams as one text each, whether they are complete, a count of one each, and the parts."""
    rows, width = graph.op("Shape", grid, end=1), graph.op("Shape", grid, start=1, end=2)
    blank = graph.op("Expand", graph.const([[""]]), graph.op("Concat", rows, graph.const([n], "int64"), axis=0))
    wide, axis = graph.op("Concat", grid, blank, axis=1), graph.const([1], "int64")
    parts = []
    for i in range(n):
        begin = graph.const([i], "int64")
        parts.append(graph.op("Slice", wide, begin, graph.op("Add", width, begin), axis))
    whole = parts[0]
    for part in parts[1:]:
        whole = graph.op("StringConcat", whole, graph.const([[between]])) if between else whole
        whole = graph.op("StringConcat", whole, part)
    given = graph.op("Not", graph.op("Equal", parts[-1], graph.const([[""]])))
    return whole, given, graph.const([[1.0]]), parts


def _characters(fitted: Any, text: str, graph: GraphBuilder) -> Terms:
    """Returns character n-grams; a run of white space is one space."""
    least, most = fitted.ngram_range
    words_only = fitted.analyzer == "char_wb"
    padded = graph.op("Concat", graph.const(["A"]), text, axis=0)
    if words_only:
        padded = graph.op("StringConcat", graph.op("StringConcat", graph.const([" "]), padded), graph.const([" "]))
    space = white_space(1 if words_only else 2)
    units = tokens(padded, f"(?s){space}|.", graph)
    units = graph.op("Where", graph.op("RegexFullMatch", units, pattern=space), graph.const([[" "]]), units)
    if not words_only:
        return [_run(units, n, "", graph)[:3] for n in range(least, most + 1)]
    short = [_within_a_word(units, n, True, graph) for n in range(3, least)]
    long = [_within_a_word(units, n, False, graph) for n in range(max(least, 2), most + 1)]
    return short + long + (_spaces(units, graph) if least == 1 else [])


def _within_a_word(units: str, n: int, whole: bool, graph: GraphBuilder) -> tuple[str, str, str]:
    """Returns n-grams with spaces only at the ends; `whole`: and at both."""
    text, given, once, parts = _run(units, n, "", graph)
    space = graph.const([[" "]])
    for part in parts[1:-1]:
        given = graph.op("And", given, graph.op("Not", graph.op("Equal", part, space)))
    for part in (parts[0], parts[-1]) if whole else ():
        given = graph.op("And", given, graph.op("Equal", part, space))
    return text, given, once


def _spaces(units: str, graph: GraphBuilder) -> Terms:
    """Returns single characters; a space counts for both adjacent words, except at either end of the text."""
    text, given, once, _ = _run(units, 1, "", graph)
    space = graph.const([[" "]])
    twice = graph.op("Where", graph.op("Equal", text, space), graph.const([[2.0]]), once)
    rows = graph.op("Shape", units, end=1)
    column = graph.op("Concat", rows, graph.const([1], "int64"), axis=0)
    ends = graph.op("Expand", space, column), graph.op("Expand", graph.const([[True]]), column)
    return [(text, given, twice), (*ends, graph.const([[-2.0]]))]


def _summed(fitted: Any, terms: Terms, letters: tuple[str, ...], graph: GraphBuilder) -> Sparse:
    """Sums the terms of each row by column, and divides each row by its norm."""
    height = graph.op("Shape", terms[0][0], end=1)
    texts, rows, counts = (graph.op("Concat", *each, axis=0) for each in zip(*(_listed(t, graph) for t in terms)))
    # an extra term outside the batch, for the same reason as the prepended word
    texts = graph.op("Concat", texts, graph.const([" "]), axis=0)
    rows = graph.op("Concat", rows, graph.const([0], "int64"), axis=0)
    counts = graph.op("Concat", counts, graph.const([1.0]), axis=0)
    column, sign = _places(fitted, texts, letters, graph)
    width = graph.const([int(fitted.n_features)], "int64")
    key = graph.op("Add", graph.op("Mul", rows, width), column)
    place, _, back, _ = graph.ops("Unique", (key,), 4, sorted=1)
    signed = graph.op("Mul", counts, sign) if fitted.alternate_sign and not fitted.binary else counts
    blank = zeros(graph.op("Shape", place), graph.real, graph)
    values = graph.op("ScatterElements", blank, back, signed, axis=0, reduction="add")
    if fitted.binary:
        values = graph.op("Min", values, graph.const(1.0))
    row = graph.op("Div", place, width)
    values = _normalised(values, row, height, fitted.norm, graph)
    return Sparse(row, graph.op("Sub", place, graph.op("Mul", row, width)), values, height, int(fitted.n_features))


def _listed(term: tuple[str, str, str], graph: GraphBuilder) -> tuple[str, str, str]:
    """Returns the terms that are present, `[T]`, their rows and counts."""
    texts, given, counts = term
    where = graph.op("Transpose", graph.op("NonZero", given), perm=[1, 0])
    rows = graph.op("Gather", where, graph.const(0, "int64"), axis=1)
    spread = graph.op("Expand", counts, graph.op("Shape", texts))
    return graph.op("GatherND", texts, where), rows, graph.op("GatherND", spread, where)


def _places(fitted: Any, texts: str, letters: tuple[str, ...], graph: GraphBuilder) -> tuple[str, str]:
    """Returns each text's column `int64 [T]` and sign `real [T]`."""
    unique, _, back, _ = graph.ops("Unique", (texts,), 4, sorted=0)
    number = hashes(unique, letters, graph)
    column = graph.op("Mod", graph.op("Abs", number), graph.const([int(fitted.n_features)], "int64"))
    below = graph.op("Less", number, graph.const([0], "int64"))
    sign = graph.op("Where", below, graph.const([-1.0]), graph.const([1.0]))
    return graph.op("Gather", column, back), graph.op("Gather", sign, back)


def _normalised(values: str, rows: str, height: str, norm: str | None, graph: GraphBuilder) -> str:
    """Divides the values by their row's norm, where that is not zero."""
    if norm is None:
        return values
    size = graph.op("Mul", values, values) if norm == "l2" else graph.op("Abs", values)
    total = graph.op("ScatterElements", zeros(height, graph.real, graph), rows, size, axis=0, reduction="add")
    total = graph.op("Sqrt", total) if norm == "l2" else total
    own = graph.op("Gather", total, rows)
    return graph.op("Div", values, graph.op("Where", graph.op("Equal", own, graph.const(0.0)), graph.const(1.0), own))


STEPS = {"HashingVectorizer": Step(hashing, sparse=always)}
