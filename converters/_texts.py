"""Documents that show where two tokenizers differ."""

from __future__ import annotations

from collections.abc import Sequence

from .spec import Scalar

SENTENCES = (
    "I am a DOG",
    "the cat sat on the mat",
    "naïve café, déjà vu",
    "ΣΊΣΥΦΟΣ İstanbul",
    "two  spaces   and\ttabs\nand lines",
    "semi-detached e-mail x_y don't 3.14 a1 1a",
    "日本語 の テキスト",
    "emoji 😀 party",
    "ŒUVRE ǅ ﬁn ſtraße",
    "!!! ... ???",
    "a b c",
    "",
    " ",
)


def documents(vocabulary: Sequence[Scalar], most: int = 300) -> list[str]:
    """Texts over a model's own vocabulary: each word alone, doubled, in capitals, beside its neighbours."""
    words = [str(w) for w in vocabulary]
    words = words[:: max(1, len(words) // most)][:most]
    texts = list(SENTENCES)
    for word, following in zip(words, words[1:] + words[:1]):
        texts += [word, f"{word} {following} {word}", word.upper(), f"a {word} b {following}"]
    return texts
