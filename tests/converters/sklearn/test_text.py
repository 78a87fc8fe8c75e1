"""Text vectorizers against scikit-learn, on texts that break: accents, Greek, Turkish, one letter, no word, no row."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import onnxruntime as ort
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline

from mlpack_toolkit.converters._graph.builder import GraphBuilder
from mlpack_toolkit.converters._steps.lookup import convert
from mlpack_toolkit.converters.sklearn._text.characters import preprocessed
from mlpack_toolkit.converters.spec import Cells, TensorSpec, Unsupported
from tests.artifacts import saved
from tests.converters.check import assert_same
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
    "averyveryveryveryveryveryveryveryverylongword " + "z" * 700,
]
UNSEEN = ["DOG dog Dog", "ΟΔΟΣ ΤΗΣ", "the the the the", "unknown words only", "MAT İ İİ ΣΑΣ", "ÉLAN éLaN", "Ａ ａ"]
LETTERS = (
    "aAiIİıéÉßsSΣσςΑάΆ1_  ,.-ǅ日'"
    "\x00\n\t\x1c\xa0\xad\u0301\u0307\u0345\u200d\u3000"
    "\u02b0´½ﬃ…ﷺ한글\u1112\u1161\u11abمُड़\U0001f468\U0001d6ba\U00010400\U0002f800"
)
PATTERNS = [r"(?u)\b\w\w+\b", r"\w+", r"\S+", r"[a-zσ]{2,}", r"[^\s,]{3,}"]


def noise(seed: int, rows: int) -> list[str]:
    """Random texts in which every kind of letter stands beside every other."""
    pick = random.Random(seed)
    return ["".join(pick.choices(LETTERS, k=pick.randint(0, 14))) for _ in range(rows)]


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
    for lonely in TEXTS[:12:4]:
        assert_same(fitted, [lonely])


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("strip_accents", [None, "unicode", "ascii"])
def test_words_of_noise(pattern: str, lowercase: bool, strip_accents: Any) -> None:
    texts = noise(len(pattern), 100)
    options = {"token_pattern": pattern, "lowercase": lowercase, "strip_accents": strip_accents}
    fitted = CountVectorizer(dtype=float, ngram_range=(1, 2), **options).fit(texts)
    assert_same(fitted, texts + noise(7, 100) + TEXTS)


@pytest.mark.parametrize("analyzer", ["char", "char_wb"])
@pytest.mark.parametrize("ngram_range", [(1, 1), (1, 3), (2, 4), (4, 6), (5, 5)])
def test_characters_of_noise(analyzer: str, ngram_range: tuple[int, int]) -> None:
    texts = noise(sum(ngram_range), 100)
    fitted = CountVectorizer(dtype=float, analyzer=analyzer, ngram_range=ngram_range).fit(texts + TEXTS)
    assert_same(fitted, texts + noise(8, 100) + TEXTS)
    assert_empty(fitted, TEXTS)


@pytest.mark.parametrize("analyzer", ["char", "char_wb"])
@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("strip_accents", [None, "unicode", "ascii"])
def test_characters_without_accents(analyzer: str, lowercase: bool, strip_accents: Any) -> None:
    options = {"analyzer": analyzer, "lowercase": lowercase, "strip_accents": strip_accents, "ngram_range": (1, 3)}
    fitted = TfidfVectorizer(sublinear_tf=True, **options).fit(TEXTS)
    assert_same(fitted, TEXTS + noise(9, 100), "float32")
    for lonely in TEXTS[2:4]:
        assert_same(fitted, [lonely])


def test_spaces_of_short_words() -> None:
    texts = ["a", "", " ", "a b", " a  bb\tccc ", "\n"]
    for least in (1, 2, 3, 4, 5):
        fitted = CountVectorizer(dtype=float, analyzer="char_wb", ngram_range=(least, 6)).fit(texts)
        assert_same(fitted, texts)
    given = CountVectorizer(
        dtype=float, analyzer="char_wb", ngram_range=(4, 4), vocabulary=[" a ", " a", "a b ", " bb "]
    )
    assert_same(given.fit(texts), texts)
    assert_same(CountVectorizer(dtype=float, analyzer="char_wb", binary=True).fit(texts), texts)


@pytest.mark.parametrize("lowercase, strip_accents", [(True, None), (True, "unicode"), (False, "ascii")])
def test_each_character_there_is(lowercase: bool, strip_accents: Any) -> None:
    every = [chr(i) for i in range(0x110000) if not 0xD800 <= i < 0xE000]
    texts = ["".join(every[i : i + 97]) for i in range(0, len(every), 97)]
    preprocess = CountVectorizer(lowercase=lowercase, strip_accents=strip_accents).build_preprocessor()
    assert list(_preprocessed(texts, lowercase, strip_accents)) == list(map(preprocess, texts))


def _preprocessed(texts: list[str], lowercase: bool, strip_accents: Any) -> Any:
    graph = GraphBuilder("float32")
    text = graph.input(TensorSpec("text", "string", ("N",)))
    graph.output("out", preprocessed(text.name, lowercase, strip_accents, True, graph), "string", ("N",))
    session = ort.InferenceSession(saved(graph.write), providers=["CPUExecutionProvider"])
    return session.run(None, {"text": np.array(texts, object)})[0]


@pytest.mark.parametrize("text", ["ΟΔΟΣ.Α", "ΟΔΟΣ'α", "α'Σ1 αΣ", "ΑΣ\u0307Α", "ΑΣ", "Σ", ".Σ.", "ΣΣ ΑΣΣ", "İΣ"])
def test_a_sigma_that_hangs_on_another_word(text: str) -> None:
    assert list(_preprocessed([text, "x"], True, None)) == [text.lower(), "x"]
    assert_same(CountVectorizer(dtype=float, analyzer="char", ngram_range=(1, 2)).fit([text.lower()]), [text, "", text])


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


def test_words_and_characters_side_by_side() -> None:
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
    both = FeatureUnion([("w", TfidfVectorizer()), ("c", characters)], transformer_weights={"c": 0.5})
    model = make_pipeline(both, LogisticRegression()).fit(TEXTS, [len(t) % 2 for t in TEXTS])
    assert_same(model, TEXTS + UNSEEN)
    assert_empty(model, TEXTS)


def test_the_best_of_a_search() -> None:
    search = GridSearchCV(
        make_pipeline(TfidfVectorizer(), LogisticRegression()), {"logisticregression__C": [1, 2]}, cv=2
    )
    assert_same(search.fit(TEXTS, [i % 2 for i in range(len(TEXTS))]), TEXTS + UNSEEN)


@pytest.mark.parametrize(
    "options",
    [
        {"analyzer": str.split},
        {"strip_accents": str.upper},
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


def test_terms_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(Unsupported, match="token_pattern"):
        _convert(CountVectorizer(token_pattern=r"[^,]+", ngram_range=(1, 2)).fit(["a b,c"]))
    assert_same(CountVectorizer(dtype=float, token_pattern=r"[^,]+").fit(["a b,c"]), ["a b,c", "a,b c"])


def _convert(fitted: Any) -> None:
    graph = GraphBuilder("float64")
    convert(fitted, (graph.input(TensorSpec("text", "string", ("N", 1), Cells(missing=""))),), graph)
