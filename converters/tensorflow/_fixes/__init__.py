"""Translations of ours in place of tf2onnx's, where those are wrong or missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import counting, elementwise, products, resizing, segments, whole_numbers
from .tables import finding

_ROOMS = (counting, elementwise, products, resizing, segments, whole_numbers)
TRANSLATIONS = {operator: how for room in _ROOMS for operator, how in room.HANDLERS.items()}
"""By operator of TensorFlow."""
_WORDS = (
    "texts are split and cleaned before the model: take that step out of it, and give the model the numbers "
    "(the layer's own, from adapt) as its input"
)
_BUCKETS = "hash the texts before the model, or use a StringLookup with a vocabulary and num_oov_indices=1 in its place"
INSTEAD = {
    "StringToHashBucketFast": _BUCKETS,
    "StringToHashBucketStrong": _BUCKETS,
    "StringToHashBucket": _BUCKETS,
    "StaticRegexReplace": _WORDS,
    "RegexReplace": _WORDS,
    "StringSplit": _WORDS,
    "StringSplitV2": _WORDS,
    "StringLower": _WORDS,
    "StringNGrams": _WORDS,
    "StringLength": "count the letters before the model, and take the number as an input",
    "RaggedBincount": _WORDS,
    "SparseCross": _BUCKETS,
    "SparseCrossHashed": _BUCKETS,
    "SparseCrossV2": _BUCKETS,
    "DenseBincount": "count with tf.one_hot and a sum",
    "ImageProjectiveTransformV3": "leave the random augmentation out (training=False), or turn pictures before",
    "DecodeJpeg": "decode pictures before the model, and take the pixels as an input",
    "DecodePng": "decode pictures before the model, and take the pixels as an input",
    "DecodeImage": "decode pictures before the model, and take the pixels as an input",
    "ParseExampleV2": "choose a signature that takes tensors (-O tensorflow.signature=NAME), not serialised examples",
    "ParseExample": "choose a signature that takes tensors (-O tensorflow.signature=NAME), not serialised examples",
    "SimpleMLInferenceOpWithHandle": "decision forests of TensorFlow have no ONNX form: train the forest with xgboost, "
    "lightgbm or scikit-learn, or give ONNX its own trees",
}
"""By operator without a translation, what to write in its place."""


def handlers(tables: Mapping[Any, Any]) -> dict[str, Any]:
    """Our translations as tf2onnx takes them. `tables`: keys and values of look-up tables by name."""
    found = {**TRANSLATIONS, "LookupTableFindV2": finding(tables)}
    return {operator: (translate, []) for operator, translate in found.items()}


def instead(operator: str) -> str:
    """What to write in place of an operator that has no translation."""
    return INSTEAD.get(operator, "write that step with other operators, or do it outside of the model")
