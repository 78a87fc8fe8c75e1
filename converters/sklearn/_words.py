"""Words of a text to numbers, in a graph: split by the model's own alphabet, told apart whatever their case.

ONNX Runtime can lower-case only by the machine's locale. So each word is split into its characters, each character
becomes a number that is the same for both cases, and the numbers of a word add up to its 64-bit sum; a sum is looked
up among those of the known words. Two words share a sum once in 2^64 pairs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .._graph import GraphBuilder, Value
from ..spec import Unsupported
from . import _alphabet as abc
from ._categories import tensor

_PATTERN = re.compile(
    r"(?:\(\?u\))?(?P<left>\\b)?(?P<one>\\w|\\S|\[[^\]]+\])(?P<same>(?P=one)*)(?:\+|\{(?P<count>\d+),\})(?P<right>\\b)?"
)
_MOST_REPEATS = 900


@dataclass(frozen=True)
class Alphabet:
    """What makes a word: one character (a pattern), at least so many of them, and whether case counts."""

    one: str
    least: int
    lowercase: bool

    @classmethod
    def of(cls, token_pattern: str, lowercase: bool) -> Alphabet:
        """The alphabet of a `token_pattern` that means: the longest runs of one class of characters."""
        found = _PATTERN.fullmatch(token_pattern)
        if found is None or (found["one"] != r"\w" and (found["left"] or found["right"])):
            raise Unsupported(
                f"token_pattern={token_pattern!r} has no converter: runs of one class of characters have, like "
                r"(?u)\b\w\w+\b, \w+, \S+ or [a-z]{3,}"
            )
        least = len(found["same"]) // len(found["one"]) + int(found["count"] or 1)
        if least < 1:
            raise Unsupported(f"token_pattern={token_pattern!r} matches the empty text")
        return cls(found["one"], least, lowercase)

    def holds(self, word: str) -> bool:
        """Whether a text can give this word."""
        whole = re.fullmatch(f"(?:{self.one}){{{self.least},}}", word) is not None
        return whole and (not self.lowercase or word.lower() == word)

    @lru_cache(maxsize=8)  # noqa: B019 (a frozen value of three fields)
    def expression(self) -> str:
        """The RE2 pattern of a word in the text as it stands."""
        letters = abc.raw_members(self.one, self.lowercase)
        if not letters:
            raise Unsupported(f"token_pattern: no character matches {self.one}")
        if not self.lowercase or abc.DOTTED_I not in letters:
            return f"[{abc.ranges(letters)}]{{{self.least},}}"
        if re.fullmatch(self.one, abc.DOT_ABOVE):
            if self.least > 2:
                raise Unsupported(
                    "token_pattern counts more than two characters, marks among them, with lowercase=True"
                )
            return f"[{abc.ranges(letters)}]{{{self.least},}}" + ("|\\x{130}" if self.least == 2 else "")
        # in lower case the dotted capital I is an i and a mark that is no letter: it ends its word
        rest = abc.ranges(letters - {abc.DOTTED_I})
        return f"[{rest}]{{{self.least - 1},}}\\x{{130}}|[{rest}]{{{self.least},}}"


@lru_cache(maxsize=8)
def expression(alphabet: Alphabet) -> str:
    """The RE2 pattern of a word in the text as it stands."""
    least, letters = alphabet.least, abc.raw_members(alphabet.one, alphabet.lowercase)
    if not letters:
        raise Unsupported(f"token_pattern: no character matches {alphabet.one}")
    run = f"[{abc.ranges(letters)}]{{{least},}}"
    if not alphabet.lowercase or abc.DOTTED_I not in letters:
        return run
    if re.fullmatch(alphabet.one, abc.DOT_ABOVE):
        if least > 2:
            raise Unsupported("token_pattern counts more than two characters, marks among them, with lowercase=True")
        return run + ("|\\x{130}" if least == 2 else "")
    # in lower case the dotted capital I is an i and a mark that is no letter: it ends its word
    rest = abc.ranges(letters - {abc.DOTTED_I})
    return f"[{rest}]{{{least - 1},}}\\x{{130}}|[{rest}]{{{least},}}"


def word_numbers(text: str, alphabet: Alphabet, numbers: dict[str, int], graph: GraphBuilder) -> str:
    """`int64 [N, words]`: the number of each word of `text [N]`, 0 for one that has none and past the end."""
    tokens = graph.op(
        "Tokenizer",
        text,
        domain="com.microsoft",
        mark=0,
        mincharnum=1,
        pad_value="",
        tokenexp=expression(alphabet),
    )
    flat = graph.op("Reshape", tokens, graph.const([-1], "int64"))
    if not alphabet.lowercase:
        found = _encode(flat, "string", numbers, graph)
    else:
        unique, _, back, _ = graph.ops("Unique", (flat,), 4, sorted=0)
        sums = _sums(unique, numbers, graph)
        known = {_sum_of(word): number for word, number in numbers.items()}
        if len(known) != len(numbers):
            raise Unsupported("two words of the vocabulary share a sum")
        found = graph.op("Gather", _encode(sums, "int64", known, graph), back)
    return graph.op("Reshape", found, graph.op("Shape", tokens))


def _encode(keys: str, dtype: str, numbers: dict[Any, int], graph: GraphBuilder) -> str:
    return graph.ml(
        "LabelEncoder",
        keys,
        keys_tensor=tensor(list(numbers), dtype),
        values_tensor=tensor(list(numbers.values()), "int64"),
        default_tensor=tensor([0], "int64"),
    )


def _sums(words: str, known: Iterable[str], graph: GraphBuilder) -> str:
    """`int64 [words]`: the sum of each word's characters, weighted by their places."""
    longest = max(map(len, known))
    short = words
    if longest < _MOST_REPEATS:  # else one long word makes a wide table of all the others
        too_long = graph.op("RegexFullMatch", words, pattern=f"(?s).{{{longest + 1},}}")
        short = graph.op("Where", too_long, graph.const(["\x01"]), words)
    expression = "(?s)[iI]\\x{307}|."
    whole = graph.op(
        "Tokenizer", short, domain="com.microsoft", mark=0, mincharnum=1, pad_value="", tokenexp=expression
    )
    ends = (graph.const([n], "int64") for n in (0, longest + 1, 1))
    characters = graph.op("Slice", whole, *ends) if longest >= _MOST_REPEATS else whole
    codes = _encode_characters(characters, set("".join(known)), graph)
    if {abc.SMALL_SIGMA, abc.FINAL_SIGMA} & set("".join(known)):
        codes = _with_final_sigmas(characters, codes, graph)
    length = graph.op("Shape", characters, start=1, end=2)
    weights = graph.const([_signed(_weight(i)) for i in range(longest + 1)], "int64")
    kept = graph.op("Slice", weights, graph.const([0], "int64"), length)
    # not ReduceSum, which loses the last digits of 64-bit integers in ONNX Runtime
    return graph.op("MatMul", codes, kept)


def _encode_characters(characters: str, letters: set[str], graph: GraphBuilder) -> str:
    """One number for both cases; any other character has the number 1, the end of the word 0."""
    dotted = {c: _signed(_code(abc.DOTTED_I)) for c in (f"i{abc.DOT_ABOVE}", f"I{abc.DOT_ABOVE}")}
    codes = {"": 0, **{c: _signed(_code(c)) for c in letters}, **dotted}
    codes.update({c: _signed(_code(low)) for c, low in abc.lowered().items() if low in letters})
    # a dotted capital I ends its word as an i, unless marks belong to words: then it is the two of them
    both = abc.DOT_ABOVE in letters
    codes[abc.DOTTED_I] = _signed(_code(abc.DOTTED_I if both else "i"))
    return graph.ml(
        "LabelEncoder",
        characters,
        keys_tensor=tensor(list(codes), "string"),
        values_tensor=tensor(list(codes.values()), "int64"),
        default_tensor=tensor([1], "int64"),
    )


def _with_final_sigmas(characters: str, codes: str, graph: GraphBuilder) -> str:
    """Codes in which a capital sigma at the end of a word is a final one: after a cased letter, before none."""
    kinds = {**dict.fromkeys(abc.cased(), 1), **dict.fromkeys(abc.ignored(), 2)}
    kind = _encode(characters, "string", kinds, graph)
    one, length = graph.const([1], "int64"), graph.op("Shape", characters, start=1, end=2)
    past = graph.cast(Value(graph.op("Equal", kind, graph.const([2], "int64")), "bool"), "int64").name
    place = graph.op("CumSum", graph.op("Sub", one, past), graph.const(1, "int64"))
    # the characters that a sigma does not look past, side by side; their places count from 1
    spread = graph.op(
        "CumSum", graph.op("Add", graph.op("Mul", kind, graph.const([0], "int64")), one), graph.const(1, "int64")
    )
    _, order = graph.ops("TopK", (graph.op("Add", spread, graph.op("Mul", past, length)), length), 2, axis=1, largest=0)
    is_cased = graph.cast(Value(graph.op("Equal", kind, one), "bool"), "int64").name
    row = graph.op("Pad", graph.op("GatherElements", is_cased, order, axis=1), graph.const([0, 1, 0, 1], "int64"))
    before = graph.op("GatherElements", row, graph.op("Sub", place, one), axis=1)
    after = graph.op("GatherElements", row, graph.op("Add", place, one), axis=1)
    capital = graph.op("Equal", characters, graph.const([[abc.SIGMA]]))
    final = graph.op("And", capital, graph.op("Greater", before, after))
    return graph.op("Where", final, graph.const([[_signed(_code(abc.FINAL_SIGMA))]], "int64"), codes)


@lru_cache(maxsize=8)
def unclear_sigma(alphabet: Alphabet) -> str:
    """The RE2 pattern of a text in which a capital sigma's shape hangs on letters beyond its own word."""
    words = abc.raw_members(alphabet.one, True)
    past, letters = abc.ignored(), abc.cased()
    look, cross = f"[{abc.ranges(past)}]*", f"[{abc.ranges(past - words) or abc.ranges({chr(0)})}]"
    letter, stop = f"[{abc.ranges(letters)}]", f"(?:[^{abc.ranges(past | letters)}]|$)"
    after = f"{abc.SIGMA}{look}{cross}{look}{letter}"
    before = f"(?:{abc.DOTTED_I}|{letter}{look}{cross}){look}{abc.SIGMA}{look}{stop}"
    return f"(?s).*(?:{after}|{before}).*"


def _sum_of(word: str) -> int:
    """What the graph computes for a word in lower case."""
    units = re.findall(f"(?s)i{abc.DOT_ABOVE}|.", word)
    codes = (_code(abc.DOTTED_I) if len(u) == 2 else _code(u) for u in units)
    return _signed(sum(code * _weight(i) for i, code in enumerate(codes)))


def _code(character: str) -> int:
    return _mixed(ord(character))


def _weight(place: int) -> int:
    return _mixed((1 << 40) + place) | 1


def _mixed(seed: int) -> int:
    """A number below 2^64 without pattern (splitmix64)."""
    z = (seed + 1) * 0x9E3779B97F4A7C15 % (1 << 64)
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % (1 << 64)
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % (1 << 64)
    return z ^ (z >> 31)


def _signed(number: int) -> int:
    number %= 1 << 64
    return number - (1 << 64) if number >= 1 << 63 else number
