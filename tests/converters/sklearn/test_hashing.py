"""Hashed terms against scikit-learn: every length of a term, every option, alone and before a linear model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import assert_same
from tests.converters.sklearn.empty import assert_empty
from tests.converters.sklearn.test_text import TEXTS, UNSEEN, noise

ROWS = [*TEXTS, *UNSEEN, *noise(3, 100)]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"norm": None},
        {"norm": "l1", "alternate_sign": False},
        {"binary": True},
        {"binary": True, "norm": None, "ngram_range": (1, 2)},
        {"ngram_range": (2, 3)},
        {"lowercase": False},
        {"strip_accents": "unicode"},
        {"stop_words": ["the", "cat", "am"], "ngram_range": (1, 2)},
        {"token_pattern": r"[a-zé]{3,}", "dtype": np.float32},
        {"analyzer": "char", "ngram_range": (1, 3), "strip_accents": "ascii"},
        {"analyzer": "char_wb", "ngram_range": (1, 3), "strip_accents": "ascii", "norm": None},
        {"analyzer": "char_wb", "ngram_range": (5, 6), "strip_accents": "ascii"},
        {"analyzer": "char_wb", "binary": True, "strip_accents": "ascii"},
    ],
    ids=str,
)
def test_terms_at_their_columns(options: dict[str, Any]) -> None:
    fitted = HashingVectorizer(n_features=61, **options)
    single = options.get("dtype") is np.float32
    assert_same(fitted, ROWS, "float32" if single else "float64")
    assert_empty(fitted, TEXTS)


def test_every_character_of_every_script() -> None:
    every = [chr(i) for i in range(0x21, 0x110000, 7) if not 0xD800 <= i < 0xE000]
    texts = [" ".join(every[i : i + 50]) for i in range(0, len(every), 50)]
    assert_same(HashingVectorizer(analyzer="char_wb", ngram_range=(3, 3), n_features=1009), texts + ROWS)


def test_terms_of_every_length() -> None:
    texts = ["é" * n + "x" * m for n in range(9) for m in range(9)] + ["long" * 70]
    assert_same(HashingVectorizer(token_pattern=r"[éx]+", n_features=1 << 16), texts)


@pytest.mark.parametrize("model", [LogisticRegression(), SGDClassifier(random_state=0)], ids=str)
def test_more_columns_than_a_table_has_before_a_linear_model(model: Any) -> None:
    fitted = make_pipeline(HashingVectorizer(ngram_range=(1, 2), n_features=1 << 17), model).fit(
        TEXTS, [len(t) % 3 for t in TEXTS]
    )
    assert_same(fitted, ROWS)
    assert_same(fitted, ROWS, "float32")
    assert_empty(fitted, TEXTS)


def test_they_are_refused_alone() -> None:
    with pytest.raises(Unsupported, match="n_features=131072"):
        assert_same(HashingVectorizer(n_features=1 << 17), TEXTS[:2])


def test_hashes_behind_weights_and_beside_others() -> None:
    weighed = make_pipeline(HashingVectorizer(n_features=50, norm=None, alternate_sign=False), TfidfTransformer())
    both = FeatureUnion([("w", weighed), ("c", HashingVectorizer(n_features=30))]).fit(TEXTS)
    assert_same(both, ROWS)
    model = make_pipeline(both, LogisticRegression()).fit(TEXTS, [len(t) % 2 for t in TEXTS])
    assert_same(model, ROWS)


@pytest.mark.parametrize("options", [{"dtype": np.int64}, {"tokenizer": str.split}, {"analyzer": str.split}], ids=str)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(Unsupported, match=next(iter(options))):
        assert_same(HashingVectorizer(n_features=64, norm=None, **options), TEXTS[:2])
