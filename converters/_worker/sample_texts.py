"""Documents on which tokenizers differ."""

from __future__ import annotations

from collections.abc import Sequence

from ..spec import Scalar

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
    "ΟΔΟΣ. ΟΔΟΣ.Α 'ΣΑΣ' Σ ΑΣ\u0301 ΑΣ\u00adΒ",
    "diyarbakır DİYARBAKIR ISTANBUL ıi İİ",
    "Straße STRASSE ẞ ß ﬃ ﬁ Ǆ ǅ ǆ",
    "cafe\u0301 n\u0303 A\u030a Å Å \u0301alone q\u0323\u0307 q\u0307\u0323",
    "한글 \u1112\u1161\u11ab 각 \u1100\u1161\u11a8",
    "العربية مُحَمَّد ﷺ ١٢٣",
    "हिन्दी ภาษาไทย עִבְרִית",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 👍🏽 \U0001f1f3\U0001f1f4 ❤\ufe0f",
    "\U0001d400\U0001d6ba \U00010400\U00010428 \U0002f800 \U0010ffff",
    "½ x² ™ ℡ … ´ ¨ ㎏ Ⅳ",
    "tab\tnew\nline\r\nform\x0cunit\x1fnbsp\xa0\xa0wide\u3000\u2003line\u2028end",
    "  leading,  trailing  ",
    "x" * 70 + " " + "É" * 130 + "  " + "long words " * 60,
    "a b c",
    "",
    " ",
    "\t\n \u3000",
    "\u0301",
)


def documents(vocabulary: Sequence[Scalar], most: int = 100) -> list[str]:
    """Texts of the model's own terms: each alone, doubled, in capitals, with an accent, with the next terms."""
    words = [str(w) for w in vocabulary if "\0" not in str(w)]
    words = words[:: max(1, len(words) // most)][:most]
    texts = list(SENTENCES)
    for word, following in zip(words, words[1:] + words[:1]):
        texts += [word, f"{word} {following} {word}", word.upper(), f"a {word} b {following}"]
        texts += [word + following, f"{word}\u0301  {word}.", word.title()]
    return texts
