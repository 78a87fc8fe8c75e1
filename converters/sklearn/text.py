"""Bag-of-words and tf-idf features of text; a term is an n-gram of words or of characters."""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._steps.step import Answer, Step, always
from ..spec import Scalar, Unsupported
from ._outputs import block
from ._text.alphabet import FINAL_SIGMA, SMALL_SIGMA
from ._text.characters import character_numbers
from ._text.documents import STOP, preprocess, refuse_options, stop_words, text_of, without_stops
from ._text.words import Alphabet, word_numbers

Terms = dict[tuple[str, ...], int]
"""Runs of words or characters, and their output columns."""


def count(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Counts each term of the vocabulary in the text."""
    refuse_options(fitted)
    text = text_of(fitted, frame, graph)
    rows = (_count_words if fitted.analyzer == "word" else _count_characters)(fitted, text, graph)
    if fitted.binary:
        rows = graph.op("Min", rows, graph.const(1.0, "float32"))
    width = len(fitted.vocabulary_)
    return Answer(transformed=(graph.cast(Value(rows, "float32", width), graph.real),))


def _count_words(fitted: Any, text: str, graph: GraphBuilder) -> str:
    alphabet = Alphabet.of(fitted.token_pattern)
    terms = _terms(fitted, alphabet)
    words = dict.fromkeys(word for term in sorted(terms) for word in term)
    numbers = {word: i + 1 for i, word in enumerate(words)}
    stops = stop_words(fitted, alphabet) if fitted.ngram_range[1] > 1 else []
    known = set("".join([*numbers, *stops]))
    if alphabet.makes(SMALL_SIGMA) != alphabet.makes(FINAL_SIGMA):
        known.add(SMALL_SIGMA)
    # prepends a word, so that no operator below receives an empty batch, or one without a word
    padded = graph.op("Concat", graph.const([next(iter(numbers))]), preprocess(fitted, text, known, graph), axis=0)
    ids = word_numbers(padded, alphabet, {**numbers, **dict.fromkeys(stops, STOP)}, graph)
    if stops:
        ids = without_stops(ids, ids, graph)
    return _counted(ids, fitted, terms, numbers, graph)


def _count_characters(fitted: Any, text: str, graph: GraphBuilder) -> str:
    words_only = fitted.analyzer == "char_wb"
    terms = _edged_terms(fitted) if words_only else _plain_terms(fitted)
    numbers = {c: i + 1 for i, c in enumerate(sorted({c for term in terms for c in term}))}
    padded = graph.op("Concat", graph.const(["A"]), preprocess(fitted, text, set(numbers), graph), axis=0)
    rows = _counted(character_numbers(padded, words_only, numbers, graph), fitted, terms, numbers, graph)
    return _with_spaces(rows, fitted, terms[(" ",)], graph) if words_only and (" ",) in terms else rows


def _counted(ids: str, fitted: Any, terms: Terms, numbers: dict[str, int], graph: GraphBuilder) -> str:
    """Counts the terms in each row of numbers except the first, `float32 [N, V]`."""
    counts = graph.op("TfIdfVectorizer", ids, **_pool(fitted, terms, numbers))
    return graph.op("Slice", counts, *(graph.const([n], "int64") for n in (1, 2**62, 0)))


def _plain_terms(fitted: Any) -> Terms:
    least, most = fitted.ngram_range
    return _some({tuple(t): int(column) for t, column in fitted.vocabulary_.items() if least <= len(t) <= most})


def _edged_terms(fitted: Any) -> Terms:
    """Returns terms within one word and the space at either end; a word too short for its terms is one as a whole."""
    least, most = fitted.ngram_range
    found = {}
    for term, column in fitted.vocabulary_.items():
        whole = len(term) > 2 and term[0] == term[-1] == " "
        if any(map(str.isspace, term[1:-1])):
            continue
        if least <= len(term) <= most or (len(term) < least and whole):
            found[tuple(term)] = int(column)
    return _some(found)


def _some(terms: Terms) -> Terms:
    if not terms:
        raise Unsupported("no text can contain a vocabulary term: check its analyzer, ngram_range, token_pattern")
    return terms


def _with_spaces(rows: str, fitted: Any, column: int, graph: GraphBuilder) -> str:
    """Returns the counts with two spaces per word, from one counted between two words and at either end."""
    import numpy as np

    own = np.arange(len(fitted.vocabulary_))[None] == column
    doubled = graph.op("Mul", rows, graph.const(np.where(own, 2.0, 1.0), "float32"))
    return graph.op("Sub", doubled, graph.const(np.where(own, 2.0, 0.0), "float32"))


def _terms(fitted: Any, alphabet: Alphabet) -> Terms:
    """Returns runs of words that a text can contain."""
    least, most = fitted.ngram_range
    spaced = alphabet.makes(" ")
    if spaced and most > 1:
        raise Unsupported("token_pattern matches spaces: with ngram_range beyond 1 its terms are ambiguous")
    stops = frozenset(fitted.get_stop_words() or ())
    found = {}
    for term, column in fitted.vocabulary_.items():
        words = (term,) if spaced else tuple(term.split(" "))
        if least <= len(words) <= most and all(alphabet.holds(w) and w not in stops for w in words):
            found[words] = int(column)
    return _some(found)


def _pool(fitted: Any, terms: Terms, numbers: dict[str, int]) -> dict[str, Any]:
    """Returns the attributes of TfIdfVectorizer; a term that no text can contain still has its column."""
    least, most = min(map(len, terms)), max(map(len, terms))
    by_length: dict[int, list[tuple[list[int], int]]] = {n: [] for n in range(1, most + 1)}
    for words, column in terms.items():
        by_length[len(words)].append(([numbers[w] for w in words], column))
    given = set(terms.values())
    free = max(numbers.values()) + 1
    for column in sorted(set(map(int, fitted.vocabulary_.values())) - given):
        by_length[least].append(([free + column] * least, column))
    ordered = [entry for n in by_length for entry in by_length[n]]
    starts, start = [], 0
    for n, entries in by_length.items():
        starts.append(start)
        start += n * len(entries)
    return {
        "mode": "TF",
        "min_gram_length": least,
        "max_gram_length": most,
        "max_skip_count": 0,
        "ngram_counts": starts,
        "ngram_indexes": [column for _, column in ordered],
        "pool_int64s": [number for term, _ in ordered for number in term],
    }


def vocabulary(fitted: Any) -> list[list[Scalar] | None]:
    """Returns the terms of the fit."""
    return [list(fitted.vocabulary_)]


def tfidf(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the weighted counts."""
    counted = count(fitted, frame, graph).transformed or ()
    return weigh(fitted._tfidf, counted, graph)


def weigh(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Weights counts: their logarithm if enabled, times `idf_`, each row divided by its norm."""
    x = graph.matrix(frame)
    name, zero, one = x.name, graph.const(0.0), graph.const(1.0)
    if fitted.sublinear_tf:
        logarithm = graph.op("Add", graph.op("Log", name), one)
        name = graph.op("Where", graph.op("Equal", name, zero), zero, logarithm)
    if fitted.use_idf:
        name = graph.op("Mul", name, graph.const(fitted.idf_.reshape(1, -1)))
    if fitted.norm is not None:
        axis = graph.const([1], "int64")
        size = graph.op("Mul", name, name) if fitted.norm == "l2" else graph.op("Abs", name)
        total = graph.op("ReduceSum", size, axis)
        norm = graph.op("Sqrt", total) if fitted.norm == "l2" else total
        name = graph.op("Div", name, graph.op("Where", graph.op("Equal", norm, zero), one, norm))
    return block(name, x.width, graph)


STEPS = {
    "CountVectorizer": Step(count, values=vocabulary, sparse=always),
    "TfidfVectorizer": Step(tfidf, values=vocabulary, sparse=always),
    "TfidfTransformer": Step(weigh, sparse=always),
}
