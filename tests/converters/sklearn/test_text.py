"""Text vectorizers against scikit-learn, on texts that break: accents, Greek, Turkish, one letter, no word, no row."""

from __future__ import annotations

import random
from typing import Any

import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from converters.spec import Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

TEXTS = [
    "The cat sat on the mat, the cat!",
    "I am a DOG",
    "naïve café NAÏVE CAFÉ Élan vital",
    "ΣΊΣΥΦΟΣ ο Σίσυφος ΟΔΟΣ οδος ΣΑΣ Σ ΣΣ ΑΣ1 ΟΔΟΣ, σας",
    "İstanbul istanbul ISTANBUL ıstanbul Iİ aİb diyarbakır DİYARBAKIR",
    "日本語 テキスト 日本語",
    "   runs   of\t\tspaces\n\nand\r\nlines  ",
    "x² ½ 10³ a_b __ 3.14 e.g. it's o'clock",
    "Straße STRASSE ǅ ǆ Ǆ K K Å Å",
    "cafe\u0301 i\u0307stanbul I\u0307stanbul",
    "\U0001d400\U0001d401 \U00010400\U00010428 ffi ﬃ",
    "",
    "!!! ...",
    "a b c",
    "averyveryveryveryveryveryveryveryverylongword " + "z" * 3000,
]
UNSEEN = ["DOG dog Dog", "ΟΔΟΣ ΤΗΣ", "the the the the", "unknown words only", "MAT İ İİ ΣΑΣ", "ÉLAN éLaN", "Ａ ａ"]
LETTERS = "aAiIİıéÉßsSΣσςΑάΆ1_ ,.-ǅ日\u0307'"


def noise(seed: int, rows: int) -> list[str]:
    """Random texts in which every kind of letter stands beside every other."""
    pick = random.Random(seed)
    return ["".join(pick.choices(LETTERS, k=pick.randint(0, 12))) for _ in range(rows)]


def clear(texts: list[str]) -> list[str]:
    """Texts without a mark between a capital sigma and a letter: there the graph stops, see below."""
    return [t.replace("'", " ").replace(".", " ").replace("\u0307", " ").replace("İ", "i") for t in texts]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ngram_range": (1, 2)},
        {"ngram_range": (2, 3)},
        {"ngram_range": (1, 2), "stop_words": ["the", "on", "am", "ο", "οδος"]},
        {"stop_words": "english"},
        {"binary": True},
        {"lowercase": False},
        {"lowercase": False, "ngram_range": (1, 2), "stop_words": ["the"]},
        {"token_pattern": r"(?u)\b\w+\b"},
        {"token_pattern": r"\S+"},
        {"token_pattern": r"[a-z]{3,}"},
        {"token_pattern": r"[^\s,]{2,}", "ngram_range": (1, 2)},
        {"max_features": 9},
        {"vocabulary": ["the cat", "the", "Upper", "a", "cat", "never seen!", "zz zz"]},
    ],
    ids=str,
)
def test_counts(options: dict[str, Any]) -> None:
    fitted = CountVectorizer(dtype=float, **options).fit(TEXTS)
    assert_same(fitted, TEXTS + UNSEEN)
    assert_same(fitted, TEXTS + UNSEEN, "float32")
    assert_empty(fitted, TEXTS)
    for lonely in TEXTS:
        assert_same(fitted, [lonely])


@pytest.mark.parametrize("pattern", [r"(?u)\b\w\w+\b", r"(?u)\b\w+\b", r"\S+"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_noise(pattern: str, seed: int) -> None:
    texts = clear(noise(seed, 400)) + [t for t in noise(seed, 400) if "Σ" not in t]
    fitted = CountVectorizer(dtype=float, token_pattern=pattern).fit(texts)
    assert_same(fitted, texts)


@pytest.mark.parametrize("text", ["ΟΔΟΣ.Α", "ΟΔΟΣ'α", "α'Σ1 αΣ", "ΑΣ\u0307Α"])
def test_a_sigma_that_hangs_on_another_word_stops_the_run(text: str) -> None:
    fitted = CountVectorizer(dtype=float).fit(TEXTS)
    with pytest.raises(Exception, match="out of data bounds"):
        answers(fitted, [text], "float64")
    without = CountVectorizer(dtype=float).fit(["plain words"])
    assert_same(without, [text])


@pytest.mark.parametrize("norm", ["l1", "l2", None])
@pytest.mark.parametrize("use_idf", [True, False])
@pytest.mark.parametrize("sublinear_tf", [True, False])
def test_weights(norm: Any, use_idf: bool, sublinear_tf: bool) -> None:
    options = {"norm": norm, "use_idf": use_idf, "sublinear_tf": sublinear_tf}
    assert_same(TfidfVectorizer(**options, ngram_range=(1, 2)).fit(TEXTS), TEXTS + UNSEEN)
    two_steps = make_pipeline(CountVectorizer(binary=True), TfidfTransformer(**options)).fit(TEXTS)
    assert_same(two_steps, TEXTS + UNSEEN, "float32")


def test_a_classifier_of_texts() -> None:
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, [len(t) % 2 for t in TEXTS])
    assert_same(model, TEXTS + UNSEEN)
    assert_same(model, TEXTS + UNSEEN, "float32")
    assert_empty(model, TEXTS)


def test_a_text_column_among_others() -> None:
    frame = pd.DataFrame({"n": range(len(TEXTS)), "words": pd.Series(TEXTS, dtype=object)})
    made = ColumnTransformer([("w", TfidfVectorizer(), "words"), ("n", "passthrough", ["n"])]).fit(frame)
    assert_same(made, frame)


@pytest.mark.parametrize(
    "options",
    [
        {"analyzer": "char"},
        {"analyzer": "char_wb"},
        {"analyzer": str.split},
        {"strip_accents": "unicode"},
        {"tokenizer": str.split},
        {"preprocessor": str.upper},
        {"token_pattern": r"\b[a-z]+\b"},
        {"token_pattern": r"(\w)\w+"},
        {"token_pattern": r"\w{2,5}"},
        {"input": "file"},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_refused(options: dict[str, Any]) -> None:
    fitted = CountVectorizer(vocabulary=["cat", "dog"], **options)
    fitted._validate_vocabulary()
    name = next(iter(options))
    with pytest.raises(Unsupported, match=name):
        _convert(fitted)


def test_hashing_is_refused() -> None:
    with pytest.raises(Unsupported, match="HashingVectorizer"):
        _convert(HashingVectorizer().fit(TEXTS))


def _convert(fitted: Any) -> None:
    from converters._graph import GraphBuilder
    from converters._steps import convert
    from converters.spec import TensorSpec

    graph = GraphBuilder("float64")
    convert(fitted, (graph.input(TensorSpec("text", "string", ("N", 1), missing="")),), graph)
