r"""Characters as this Python classifies them: regular expression classes, lower case, the context of a sigma.

ONNX Runtime has its own tables of Unicode and lower-cases by the machine's locale, so every class is written out as
ranges of code points, taken from the interpreter of the model.
"""

from __future__ import annotations

import re
from functools import lru_cache

SIGMA, FINAL_SIGMA, SMALL_SIGMA = "\u03a3", "\u03c2", "\u03c3"


@lru_cache(maxsize=1)
def everything() -> str:
    """Returns every character except the surrogates, in order."""
    return "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))


@lru_cache(maxsize=8)
def members(pattern: str) -> frozenset[str]:
    """Returns the characters that the one-character pattern matches."""
    return frozenset(re.findall(pattern, everything()))


@lru_cache(maxsize=8)
def class_of(pattern: str) -> str:
    """Returns the one-character pattern as the inside of an RE2 character class; empty where no character matches."""
    gap = 0xD800
    found = []
    for run in re.finditer(f"(?:{pattern})+", everything()):
        first, last = run.start(), run.end() - 1
        cut = [(first, gap - 1), (gap, last)] if first < gap <= last else [(first, last)]
        found += [tuple(n if n < gap else n + 0x800 for n in each) for each in cut]
    return "".join(f"\\x{{{a:X}}}-\\x{{{b:X}}}" for a, b in found)


@lru_cache(maxsize=1)
def lowered() -> dict[str, str]:
    """Returns every character whose lower case differs (the dotted capital I becomes two)."""
    return {c: c.lower() for c in everything() if c.lower() != c}


@lru_cache(maxsize=1)
def cased() -> frozenset[str]:
    """Returns the characters that make a preceding sigma a middle one."""
    return frozenset(c for c in everything() if f"A{SIGMA}{c}".lower()[1] == SMALL_SIGMA)


@lru_cache(maxsize=1)
def ignored() -> frozenset[str]:
    """Returns the characters that a sigma ignores (apostrophes, full stops, accents)."""
    seen = cased()
    return frozenset(c for c in everything() if c not in seen and f"A{SIGMA}{c}A".lower()[1] == SMALL_SIGMA)


def ranges(characters: set[str] | frozenset[str]) -> str:
    r"""Returns the inside of an RE2 character class, `\x{41}-\x{5A}…`."""
    runs: list[list[int]] = []
    for point in sorted(map(ord, characters)):
        if runs and runs[-1][1] == point - 1:
            runs[-1][1] = point
        else:
            runs.append([point, point])
    return "".join(f"\\x{{{a:X}}}-\\x{{{b:X}}}" for a, b in runs)
