"""Maps the words of a text to numbers, in a graph: split by the model's own alphabet, as character ranges."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..._graph.builder import GraphBuilder
from ...spec import Unsupported
from . import alphabet as abc
from .characters import numbers_of, tokens

_PATTERN = re.compile(
    r"(?:\(\?u\))?(?P<left>\\b)?(?P<one>\\w|\\S|\[[^\]]+\])(?P<same>(?P=one)*)(?:\+|\{(?P<count>\d+),\})(?P<right>\\b)?"
)


@dataclass(frozen=True)
class Alphabet:
    """The word characters (a one-character pattern), and a word's minimum length."""

    one: str
    least: int

    @classmethod
    def of(cls, token_pattern: str) -> Alphabet:
        """Parses a `token_pattern` that means the longest runs of one class of characters."""
        found = _PATTERN.fullmatch(token_pattern)
        if found is None or (found["one"] != r"\w" and (found["left"] or found["right"])):
            raise Unsupported(
                f"token_pattern={token_pattern!r} has no converter; supported: runs of one class of characters, like "
                r"(?u)\b\w\w+\b, \w+, \S+ or [a-z]{3,}"
            )
        least = len(found["same"]) // len(found["one"]) + int(found["count"] or 1)
        if least < 1:
            raise Unsupported(f"token_pattern={token_pattern!r} matches the empty text")
        return cls(found["one"], least)

    def holds(self, word: str) -> bool:
        """Returns whether a text can contain this word."""
        return re.fullmatch(f"(?:{self.one}){{{self.least},}}", word) is not None

    def makes(self, character: str) -> bool:
        """Returns whether the character is a word character."""
        return re.fullmatch(self.one, character) is not None

    def letter(self) -> str:
        """Returns a word character."""
        found = re.search(self.one, "a1" + abc.everything())
        if found is None:
            raise Unsupported(f"token_pattern: no character matches {self.one}")
        return found[0]

    def expression(self) -> str:
        """Returns the RE2 pattern of a word."""
        self.letter()
        return f"[{abc.class_of(self.one)}]{{{self.least},}}"


def word_numbers(text: str, alphabet: Alphabet, numbers: dict[str, int], graph: GraphBuilder) -> str:
    """Returns the number of each word of `text [N]`, `int64 [N, words]`, 0 for any other word and past the end."""
    return numbers_of(tokens(text, alphabet.expression(), graph), numbers, graph)
