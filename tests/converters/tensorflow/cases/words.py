"""Preprocessing layers: vocabularies, buckets, hashes, texts."""

from __future__ import annotations

import keras
from keras import layers as L

from .case import case, normal, odd, texts, whole

WORDS = ["red", "green", "é", "😀 word"]


def of_texts(layer: L.Layer) -> keras.Model:
    return keras.Sequential([L.Input((1,), dtype="string", name="x"), layer])


@case({"x": texts("red", "violet", "é", "")}, {"x": texts("😀 word", "Red", " red")})
def words_as_numbers() -> keras.Model:
    return of_texts(L.StringLookup(vocabulary=WORDS))


@case({"x": texts("red", "violet", "é")}, {"x": texts("", "green", "[UNK]")})
def words_one_hot() -> keras.Model:
    return of_texts(L.StringLookup(vocabulary=WORDS, output_mode="one_hot"))


@case({"x": texts("red", "violet", "é")}, {"x": texts("", "green", "[UNK]")})
def words_multi_hot_with_a_mask() -> keras.Model:
    return of_texts(L.StringLookup(vocabulary=WORDS, output_mode="multi_hot", mask_token=""))


@case({"x": whole(0, 5, 3, 2)})
def numbers_as_words() -> keras.Model:
    lookup = L.StringLookup(vocabulary=WORDS, invert=True)
    return keras.Sequential([L.Input((2,), dtype="int64", name="x"), lookup])


@case({"x": texts("red", "violet", "é")}, refused=r"StringToHashBucketFast in .*string_lookup.*num_oov_indices=1")
def words_with_three_unknown() -> keras.Model:
    return of_texts(L.StringLookup(vocabulary=WORDS, num_oov_indices=3))


@case({"x": texts("red", "violet", "é")}, refused="StringToHashBucketFast in .*hashing")
def hashed_words() -> keras.Model:
    return of_texts(L.Hashing(8))


@case({"x": texts("red and green", "é", "")}, refused="StaticRegexReplace|StringLower|StringSplit")
def words_of_a_text() -> keras.Model:
    return of_texts(L.TextVectorization(vocabulary=["red", "green"], output_sequence_length=4))


@case({"x": texts("red and green", "é", "")}, refused="StaticRegexReplace|StringLower|StringSplit")
def weighed_words() -> keras.Model:
    layer = L.TextVectorization(output_mode="tf_idf", ngrams=2)
    layer.adapt(["red and green", "green"])
    return of_texts(layer)


@case({"x": whole(0, 50, 4, 2)}, {"x": whole(-60, 60, 9, 2)})
def whole_numbers_as_places() -> keras.Model:
    x = L.Input((2,), dtype="int64", name="x")
    return keras.Model(
        x, [L.IntegerLookup(vocabulary=[10, 20, 30, -5])(x), L.IntegerLookup(vocabulary=[8, 9], mask_token=7)(x)]
    )


@case({"x": whole(0, 50, 4, 1)}, {"x": whole(8, 12, 9, 1)})
def whole_numbers_one_hot() -> keras.Model:
    layer = L.IntegerLookup(vocabulary=[10, 20, 30], output_mode="one_hot")
    return keras.Sequential([L.Input((1,), dtype="int64", name="x"), layer])


@case({"x": normal(5, 2)}, {"x": odd(4, 2)}, {"x": normal(2, 2) * 1000})
def buckets() -> keras.Model:
    x = L.Input((2,), name="x")
    limits = [-1.0, 0.0, 0.1, 1.5]
    return keras.Model(x, [L.Discretization(limits)(x), L.Discretization(limits, output_mode="one_hot")(x[:, :1])])


@case({"x": whole(-4, 5, 5, 1, dtype="int32")})
def buckets_of_whole_numbers() -> keras.Model:
    layer = L.Discretization([-1.0, 0.0, 2.0])
    return keras.Sequential([L.Input((1,), dtype="int32", name="x"), layer])


@case({"x": whole(0, 5, 4, 3)}, {"x": whole(0, 5, 2, 3)})
def category_encoding() -> keras.Model:
    x = L.Input((3,), dtype="int64", name="x")
    return keras.Model(x, [L.CategoryEncoding(5, output_mode=mode)(x) for mode in ("multi_hot", "count")])


@case({"a": texts("red", "blue"), "b": texts("é", "x")}, refused="SparseCross.*in .*hashed_crossing.*hash the texts")
def crossed_columns() -> keras.Model:
    a, b = (L.Input((1,), dtype="string", name=name) for name in "ab")
    return keras.Model({"a": a, "b": b}, L.HashedCrossing(7)((a, b)))
