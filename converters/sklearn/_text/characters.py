"""Text preprocessing and character splitting in a graph: lower case, accents stripped, as in the original.

ONNX Runtime lower-cases by the machine's locale and strips no accents. So a text is cut into unchanged stretches and
single characters that change; each of those is replaced by its image, and the pieces are joined again.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any, Callable

from ..._graph.builder import GraphBuilder
from .._categories import tensor
from . import alphabet as abc

_WHITE = r"\s"
_CHUNK = 64
_INT32, _INT64 = 6, 7
_BEFORE = f"A{abc.SIGMA}"
"""A text prepended to the batch, with a final sigma, so that no operator receives an empty batch, or no pieces."""


def preprocessed(text: str, lowercase: bool, strip_accents: Any, sigmas: bool, graph: GraphBuilder) -> str:
    """Preprocesses `text [N]` as a vectorizer's `build_preprocessor` does, `string [N]`.

    `sigmas`: whether to distinguish the two small sigmas, else each capital one becomes a middle one.
    """
    image = images(lowercase, strip_accents)
    if not image:
        return text
    padded = graph.op("Concat", graph.const([_BEFORE]), text, axis=0)
    if lowercase and sigmas and strip_accents != "ascii":
        padded = _with_final_sigmas(padded, graph)
    flat, where, chunk, shape = _chunks(padded, f"(?s).{{1,{_CHUNK}}}", graph)
    moved = [c for c, other in image.items() if other]
    pieces = tokens(chunk, _stretches(lowercase, strip_accents), graph)
    changed = joined(_imaged(pieces, {c: image[c] for c in moved}, graph), graph)
    flat = graph.op("ScatterElements", flat, where, changed, axis=0)
    whole = joined(graph.op("Reshape", flat, shape), graph)
    return graph.op("Slice", whole, *(graph.const([n], "int64") for n in (1, 2**62)))


def _chunks(text: str, expression: str, graph: GraphBuilder) -> tuple[str, str, str, str]:
    """Returns all tokens `[N * C]`, the positions of the non-empty ones, these themselves, and the shape `[N, C]`.

    So the cost of one long text among short ones is its length, not that times the number of rows.
    """
    grid = tokens(text, expression, graph)
    flat = graph.op("Reshape", grid, graph.const([-1], "int64"))
    full = graph.op("Not", graph.op("Equal", flat, graph.const([""])))
    where = graph.op("Squeeze", graph.op("NonZero", full), graph.const([0], "int64"))
    return flat, where, graph.op("Gather", flat, where), graph.op("Shape", grid)


@lru_cache(maxsize=8)
def images(lowercase: bool, strip_accents: Any) -> dict[str, str]:
    """Returns every character that is mapped to another, several or none (a capital sigma: the middle one).

    With `strip_accents="ascii"` most are mapped to none: those are omitted.
    """
    lowered = abc.lowered() if lowercase else {}
    if not strip_accents:
        return lowered
    found = {}
    for character in (c for piece in _touched() for c in piece):
        image = _stripped(lowered.get(character, character), strip_accents)
        if image != character and (image or strip_accents != "ascii"):
            found[character] = image
    return found


def staying(lowercase: bool, strip_accents: Any) -> set[str]:
    """Returns the characters that stay the same."""
    candidates = map(chr, range(128)) if strip_accents == "ascii" else abc.everything()
    return set(candidates) - set(images(lowercase, strip_accents))


@lru_cache(maxsize=1)
def _touched() -> list[str]:
    """Returns stretches of characters, without those where no option changes or removes anything."""
    every = abc.everything()
    pieces = (every[i : i + 256] for i in range(0, len(every), 256))
    return [
        p
        for p in pieces
        if unicodedata.normalize("NFKD", p) != p or p.lower() != p or any(map(unicodedata.combining, p))
    ]


@lru_cache(maxsize=8)
def _stretches(lowercase: bool, strip_accents: Any) -> str:
    """Returns the RE2 pattern of an unchanged stretch, or of one character with an image; not of removed ones."""
    image = images(lowercase, strip_accents)
    ascii_only = abc.ranges(staying(lowercase, strip_accents)) if strip_accents == "ascii" else ""
    kept = f"[{ascii_only}]" if ascii_only else f"[^{abc.ranges(set(image))}]"
    return f"{kept}+|[{abc.ranges({c for c, other in image.items() if other})}]"


def _stripped(text: str, how: str) -> str:
    """Strips accents; doing it by character gives the same as for the whole text, since only marks are reordered."""
    plain = unicodedata.normalize("NFKD", text)
    if how == "ascii":
        return plain.encode("ascii", "ignore").decode("ascii")
    return "".join(c for c in plain if not unicodedata.combining(c))


def _imaged(pieces: str, image: dict[str, str], graph: GraphBuilder) -> str:
    """Replaces each piece that has an image by it."""
    place = numbers_of(pieces, {c: i + 1 for i, c in enumerate(image)}, graph)
    other = graph.op("Gather", graph.const(["", *image.values()]), place)
    return graph.op("Where", graph.op("Equal", place, graph.const(0, "int64")), pieces, other)


def _with_final_sigmas(text: str, graph: GraphBuilder) -> str:
    """Replaces a capital sigma with a cased letter before it and none after it by a final sigma.

    Both are searched within a run of cased letters and of marks that a sigma ignores; so only the last cased
    letter of such a run can be a final sigma.
    """
    runs, ends = _sigma_patterns()
    grid = tokens(text, runs, graph)
    flat = graph.op("Reshape", grid, graph.const([-1], "int64"))
    where = graph.op("NonZero", graph.op("RegexFullMatch", flat, pattern=ends))
    where = graph.op("Squeeze", where, graph.const([0], "int64"))
    fixed = _with_last_sigma_final(graph.op("Gather", flat, where), graph)
    flat = graph.op("ScatterElements", flat, where, fixed, axis=0)
    return joined(graph.op("Reshape", flat, graph.op("Shape", grid)), graph)


@lru_cache(maxsize=1)
def _sigma_patterns() -> tuple[str, str]:
    """RE2 patterns: a run with a capital sigma, or a stretch without one; and a run that ends in a final one."""
    cased, past = abc.ranges(abc.cased()), abc.ranges(abc.ignored())
    run, rest, other = f"[{cased}{past}]", f"[{abc.ranges(abc.cased() - {abc.SIGMA})}{past}]", f"[^{cased}{past}]"
    runs = f"{run}*{abc.SIGMA}{run}*|(?:{rest}*{other}+)+|{rest}+"
    return runs, f"{run}*[{cased}][{past}]*{abc.SIGMA}[{past}]*"


def _with_last_sigma_final(words: str, graph: GraphBuilder) -> str:
    pieces = tokens(words, f"{abc.SIGMA}|[^{abc.SIGMA}]+", graph)
    is_sigma = graph.op("Equal", pieces, graph.const([[abc.SIGMA]]))
    count = graph.op("CumSum", graph.op("Cast", is_sigma, to=_INT64), graph.const(1, "int64"), reverse=1)
    last = graph.op("And", is_sigma, graph.op("Equal", count, graph.const(1, "int64")))
    return joined(graph.op("Where", last, graph.const([[abc.FINAL_SIGMA]]), pieces), graph)


def tokens(text: str, expression: str, graph: GraphBuilder) -> str:
    """Returns the matches of the RE2 expression in order, `string [N, most]`; the empty text past a row's end."""
    return graph.op("Tokenizer", text, domain="com.microsoft", mark=0, mincharnum=1, pad_value="", tokenexp=expression)


def joined(pieces: str, graph: GraphBuilder) -> str:
    """Joins the pieces `[N, T]` of each row into one text, `string [N]`, by joining neighbours until one is left."""
    from onnx import TensorProto, helper

    one = graph.const([1], "int64")
    blank = graph.op("Expand", graph.const([[""]]), graph.op("Concat", graph.op("Shape", pieces, end=1), one, axis=0))
    body = GraphBuilder(graph.real)
    body._taken = graph._taken
    step, going, row, shorter = (graph.fresh(f"joining_{n}") for n in ("step", "going", "row", "shorter"))
    ends = [body.const([n], "int64") for n in (0, 1, 2)]
    even = body.op("Concat", row, blank, axis=1)
    width = body.op("Shape", row, start=1, end=2)
    halves = body.op("Div", body.op("Add", width, ends[1]), ends[2])
    stop = body.op("Mul", halves, ends[2])
    left = body.op("Slice", even, ends[0], stop, ends[1], ends[2])
    right = body.op("Slice", even, ends[1], stop, ends[1], ends[2])
    more = body.op("Squeeze", body.op("Greater", halves, ends[1]))
    inner = helper.make_graph(
        [*body._nodes, helper.make_node("StringConcat", [left, right], [shorter], name=shorter)],
        graph.fresh("joining"),
        [_info(step, TensorProto.INT64, []), _info(going, TensorProto.BOOL, []), _info(row, TensorProto.STRING, 2)],
        [_info(more, TensorProto.BOOL, []), _info(shorter, TensorProto.STRING, 2)],
        body.tensors(),
    )
    whole = graph.op("Loop", "", graph.const(True), pieces, body=inner)
    return graph.op("Squeeze", whole, graph.const([1], "int64"))


def _info(name: str, kind: int, shape: Any) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, kind, [None] * shape if isinstance(shape, int) else shape)


def numbers_of(keys: str, numbers: dict[str, int], graph: GraphBuilder) -> str:
    """Returns the number of each text, 0 for any other text."""
    return graph.ml(
        "LabelEncoder",
        keys,
        keys_tensor=tensor(list(numbers), "string"),
        values_tensor=tensor(list(numbers.values()), "int64"),
        default_tensor=tensor([0], "int64"),
    )


def white_space(least: int) -> str:
    """Returns the RE2 pattern of at least `least` white-space characters."""
    return f"[{abc.class_of(_WHITE)}]{{{least},}}"


def character_numbers(text: str, words_only: bool, numbers: dict[str, int], graph: GraphBuilder) -> str:
    """Returns the number of each character, `int32 [N, most]`, 0 for any other and past the end; for at least one text.

    A run of white space becomes one space. `words_only`: so does a single one, and both ends get one.
    """
    space = white_space(1 if words_only else 2)
    if words_only:
        text = graph.op("StringConcat", graph.op("StringConcat", graph.const([" "]), text), graph.const([" "]))

    def number(units: str) -> str:
        found = numbers_of(units, numbers, graph)
        if " " in numbers:
            is_space = graph.op("RegexFullMatch", units, pattern=space)
            found = graph.op("Where", is_space, graph.const([[numbers[" "]]], "int64"), found)
        return graph.op("Cast", found, to=_INT32)

    return character_cells(text, number, graph, f"{space}|")


def character_cells(text: str, number: Callable[[str], str], graph: GraphBuilder, first: str = "") -> str:
    """Returns `number` of each character of `text [N]`, `[N, most]`, zeros past the end; needs at least one text.

    `first`: another pattern for a single character, as the first of two alternatives in RE2.
    """
    _, where, chunk, shape = _chunks(text, f"(?s)(?:{first}.){{1,{_CHUNK}}}", graph)
    return _in_rows(number(tokens(chunk, f"(?s){first}.", graph)), where, shape, graph)


def _in_rows(found: str, where: str, shape: str, graph: GraphBuilder) -> str:
    """Scatters the rows `[M, W]` to their positions among `N * C`, zeros elsewhere: `[N, C * W]`."""
    rows = graph.op("ReduceProd", shape)
    width = graph.op("Shape", found, start=1, end=2)
    zero = graph.op("CastLike", graph.const([[0]], "int64"), found)
    blank = graph.op("Expand", zero, graph.op("Concat", rows, width, axis=0))
    placed = graph.op("ScatterND", blank, graph.op("Unsqueeze", where, graph.const([1], "int64")), found)
    texts = graph.op("Gather", shape, graph.const([0], "int64"))
    return graph.op("Reshape", placed, graph.op("Concat", texts, graph.const([-1], "int64"), axis=0))
