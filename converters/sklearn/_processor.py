"""Whether a model's predictions may depend on the processor, whose kernels multiply matrices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..spec import ALWAYS, NEVER, TIES

_MULTIPLYING = (
    *("linear_model", "svm", "decomposition", "discriminant_analysis", "gaussian_process", "neural_network"),
    *("kernel_approximation", "kernel_ridge", "cluster", "mixture", "manifold", "cross_decomposition"),
    *("random_projection", "covariance", "naive_bayes", "semi_supervised"),
)
"""Modules of scikit-learn whose estimators predict by matrix products."""
_DECIDING = ("cluster", "gaussian_process", "kernel_ridge", "mixture", "manifold", "semi_supervised")
"""Of those, the ones that decide by a product (the nearest centre), or lose many digits on the way."""
_STEPS = ("tree", "ensemble", "xgboost", "lightgbm", "catboost")
"""Modules whose estimators jump at thresholds: after a product, a last bit may move a row across one."""
_OF_OTHERS = ("Stacking", "Voting", "Bagging", "Ada")
"""Prefixes of the names of ensembles of arbitrary estimators."""
_PURSUITS = ("DictionaryLearning", "MiniBatchDictionaryLearning", "SparseCoder")
_JUDGES = ("FixedThresholdClassifier", "TunedThresholdClassifierCV", "OneVsOneClassifier", "OutputCodeClassifier")
_JUMPS = ("KBinsDiscretizer", "Binarizer", *_JUDGES)


def processor(model: Any) -> str:
    """Returns `ALWAYS` where outputs may jump by the rounding of a product, `TIES` where only labels among equal scores
    may, else `NEVER`."""
    parts = list(_parts(model, set()))
    if any(_by_product(part) or type(part).__name__ in _PURSUITS for part in parts):
        return ALWAYS
    modules = {_module(part) for part in parts}
    if modules & set(_DECIDING):
        return ALWAYS
    if not modules & set(_MULTIPLYING):
        return NEVER
    jumps = any(type(part).__name__ in _JUMPS for part in parts) or _before_steps(parts)
    return ALWAYS if jumps else TIES


def _by_product(part: Any) -> bool:
    """Returns whether it searches for the nearest rows by matrix products."""
    return getattr(part, "_fit_method", "") == "brute" or type(part).__name__ in ("KNNImputer", "NearestCentroid")


def _before_steps(parts: list[Any]) -> bool:
    """Returns whether an estimator that multiplies may precede one that jumps at thresholds."""
    multiplied = any(_module(part) in _MULTIPLYING and hasattr(part, "transform") for part in parts)
    stacked = any(type(part).__name__.startswith("Stacking") for part in parts)
    return (multiplied or stacked) and any(_module(part) in _STEPS for part in parts)


def _module(part: Any) -> str:
    names = [*type(part).__module__.split("."), ""]
    return names[1] if names[0] == "sklearn" else names[0]


def _parts(model: Any, seen: set[int]) -> Iterator[Any]:
    """Yields the fitted objects in a model, including itself, without the trees of forests."""
    if isinstance(model, (list, tuple, dict)):
        for each in list(model.values()) if isinstance(model, dict) else list(model):
            yield from _parts(each, seen)
        return
    own = hasattr(model, "get_params") or type(model).__module__.startswith("sklearn.")
    if id(model) in seen or not own or not hasattr(model, "__dict__"):
        return
    seen.add(id(model))
    yield model
    whole = _module(model) == "ensemble" and not type(model).__name__.startswith(
        ("Stacking", "Voting", "Bagging", "Ada")
    )
    if _module(model) not in ("tree", "xgboost", "lightgbm", "catboost") and not whole:
        for each in list(vars(model).values()):
            yield from _parts(each, seen)
