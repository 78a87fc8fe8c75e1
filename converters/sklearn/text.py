"""Texts to counts of words and of runs of words, and their weights by how rare they are."""

from __future__ import annotations

from typing import Any

from .._graph import Frame, GraphBuilder, Value
from .._steps import Answer, Step
from ..spec import Unsupported
from ._alphabet import FINAL_SIGMA, SMALL_SIGMA
from ._blocks import block
from ._words import Alphabet, unclear_sigma, word_numbers

_STOP = -1


def count(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """How often each term of the vocabulary stands in the text."""
    _refuse_options(fitted)
    value = graph.columns(frame)[0]
    if value.dtype != "string":
        raise Unsupported(f"{type(fitted).__name__} takes text; column {value.column!r} is {value.dtype}")
    alphabet = Alphabet.of(fitted.token_pattern, fitted.lowercase)
    terms = _terms(fitted, alphabet)
    numbers, stops = _numbers(fitted, alphabet, terms)
    text = graph.op("Squeeze", value.name, graph.const([1], "int64"))
    # a word before the batch: no operator below has to bear an empty batch, or one without a word
    padded = graph.op("Concat", graph.const([next(iter(numbers))]), text, axis=0)
    ids = word_numbers(padded, alphabet, numbers, graph)
    if stops and fitted.ngram_range[1] > 1:
        ids = _without_stops(ids, graph)
    counts = graph.op("TfIdfVectorizer", ids, **_pool(fitted, terms, numbers))
    rows = graph.op(
        "Slice", counts, graph.const([1], "int64"), graph.const([2**62], "int64"), graph.const([0], "int64")
    )
    if fitted.binary:
        rows = graph.op("Min", rows, graph.const(1.0, "float32"))
    if fitted.lowercase and any({SMALL_SIGMA, FINAL_SIGMA} & set(word) for word in numbers):
        rows = _only_if_clear(rows, value, alphabet, graph)
    width = len(fitted.vocabulary_)
    return Answer(transformed=(graph.cast(Value(rows, "float32", width), graph.real),))


def _refuse_options(fitted: Any) -> None:
    """Options for which there is no graph that is right on every text."""
    for name in ("preprocessor", "tokenizer", "strip_accents"):
        if getattr(fitted, name) is not None:
            raise Unsupported(f"{name}={getattr(fitted, name)!r} of {type(fitted).__name__} has no converter")
    if fitted.analyzer != "word":
        raise Unsupported(f"analyzer={fitted.analyzer!r} of {type(fitted).__name__} has no converter; 'word' has")
    if fitted.input != "content":
        raise Unsupported(f"input={fitted.input!r} of {type(fitted).__name__}: a graph reads no files")


def _terms(fitted: Any, alphabet: Alphabet) -> dict[tuple[str, ...], int]:
    """Runs of words to output columns: those of the vocabulary that a text can give."""
    least, most = fitted.ngram_range
    stops = frozenset(fitted.get_stop_words() or ())
    found = {}
    for term, column in fitted.vocabulary_.items():
        words = tuple(term.split(" "))
        if least <= len(words) <= most and all(alphabet.holds(w) and w not in stops for w in words):
            found[words] = int(column)
    if not found:
        raise Unsupported("no text can give a term of the vocabulary: its words do not match the token_pattern")
    return found


def _numbers(fitted: Any, alphabet: Alphabet, terms: dict[tuple[str, ...], int]) -> tuple[dict[str, int], list[str]]:
    """Words to numbers from 1 (stop words all one number), and the stop words that a text can give."""
    words = dict.fromkeys(word for term in sorted(terms) for word in term)
    stops = sorted(w for w in frozenset(fitted.get_stop_words() or ()) if alphabet.holds(w))
    if fitted.ngram_range[1] == 1:
        stops = []
    return {**{word: i + 1 for i, word in enumerate(words)}, **dict.fromkeys(stops, _STOP)}, stops


def _without_stops(ids: str, graph: GraphBuilder) -> str:
    """The numbers with stop words moved to the end, so that their neighbours become neighbours of each other."""
    shape = graph.op("Shape", ids)
    length = graph.op("Gather", shape, graph.const([1], "int64"))
    last = graph.op("Squeeze", length)
    place = graph.op("Range", graph.const(0, "int64"), last, graph.const(1, "int64"))
    is_stop = graph.op("Equal", ids, graph.const([[_STOP]], "int64"))
    behind = graph.op("Where", is_stop, length, graph.const([0], "int64"))
    _, order = graph.ops("TopK", (graph.op("Add", behind, place), length), 2, axis=1, largest=0, sorted=1)
    return graph.op("GatherElements", ids, order, axis=1)


def _pool(fitted: Any, terms: dict[tuple[str, ...], int], numbers: dict[str, int]) -> dict[str, Any]:
    """The attributes of TfIdfVectorizer; a term that no text can give still has its column."""
    least, most = fitted.ngram_range
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


def _only_if_clear(rows: str, value: Value, alphabet: Alphabet, graph: GraphBuilder) -> str:
    """The rows; the run stops with an error where a text leaves a capital sigma's lower case open to its word alone."""
    unclear = graph.op("RegexFullMatch", value.name, pattern=unclear_sigma(alphabet))
    place = graph.cast(Value(unclear, "bool"), "int64").name
    return graph.op("Add", rows, graph.op("Gather", graph.const([0.0], "float32"), place))


def tfidf(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The counts, weighted."""
    counted = count(fitted, frame, graph).transformed or ()
    return weigh(fitted._tfidf, counted, graph)


def weigh(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Counts, their logarithm where asked, times `idf_`, each row over its norm."""
    x = graph.matrix(frame)
    name, zero, one = x.name, graph.const(0.0), graph.const(1.0)
    if fitted.sublinear_tf:
        grown = graph.op("Add", graph.op("Log", name), one)
        name = graph.op("Where", graph.op("Equal", name, zero), zero, grown)
    if fitted.use_idf:
        name = graph.op("Mul", name, graph.const(fitted.idf_.reshape(1, -1)))
    if fitted.norm is not None:
        axis = graph.const([1], "int64")
        size = graph.op("Mul", name, name) if fitted.norm == "l2" else graph.op("Abs", name)
        total = graph.op("ReduceSum", size, axis)
        norm = graph.op("Sqrt", total) if fitted.norm == "l2" else total
        name = graph.op("Div", name, graph.op("Where", graph.op("Equal", norm, zero), one, norm))
    return block(name, x.width, graph)


def hashing(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Nothing: the hash of a text has no operator."""
    raise Unsupported("HashingVectorizer has no converter: use CountVectorizer or TfidfVectorizer")


STEPS = {
    "CountVectorizer": Step(count),
    "TfidfVectorizer": Step(tfidf),
    "TfidfTransformer": Step(weigh),
    "HashingVectorizer": Step(hashing),
}
