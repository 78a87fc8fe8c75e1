"""What a fitted scikit-learn object says of itself: its columns, its task, its classes."""

from __future__ import annotations

from typing import Any

from .._lookup import bounds_of, thresholds_of, values_of
from .._steps.titles import title_of
from ..spec import FLOATS, Description, Feature, Scalar, Unreadable, Unsupported
from ._records import names as keys_of

_TEXT = ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer")
_NEIGHBOURS = ("KNNImputer", "LocalOutlierFactor", "Isomap", "LocallyLinearEmbedding", "KernelDensity")
_OF_LABELS = ("LabelEncoder", "LabelBinarizer")
"""They take one column of labels, which we call `y`, and know neither its name nor that it is one."""


def describe(model: Any) -> Description:
    """The description of any fitted estimator or pipeline."""
    own = ("y",) if type(model).__name__ in _OF_LABELS else ()
    keys = keys_of(model)
    names = [str(n) for n in getattr(model, "feature_names_in_", keys or own)]
    document = _first_step(model).__class__.__name__ in _TEXT
    width = 1 if document else _width(model, len(names))
    thresholds = thresholds_of(model, width)
    values = values_of(model, width)
    columns = names or (["text"] if document else [f"x{i}" for i in range(width)])
    features = tuple(map(_feature, columns, thresholds, values, bounds_of(model, width)))
    return Description(
        title=title_of(model),
        task=task_of(model),
        features=features,
        named=bool(names),
        classes=_classes(model),
        document=document,
        records=bool(keys),
        targets=_targets(model),
    )


def _feature(name: str, thresholds: list[float], values: list[Scalar] | None, bounds: list[float]) -> Feature:
    ends = tuple(float(b) for b in sorted(set(bounds)))
    if values is None:
        return Feature(name, thresholds=tuple(float(t) for t in thresholds), bounds=ends)
    known = [v for v in values if v is not None and v == v]
    kind = "text" if any(isinstance(v, str) for v in known) else "number"
    return Feature(
        name,
        kind=kind,
        thresholds=tuple(float(t) for t in thresholds),
        values=tuple(known),
        knows_empty="" in known or len(known) < len(values),
        missing="none" if any(v is None for v in values) else "nan",
        bounds=ends,
    )


def task_of(model: Any) -> str:
    """The task, by the tags of the last step that has an opinion."""
    from sklearn.base import is_classifier, is_outlier_detector, is_regressor

    checks = (
        ("classifier", is_classifier),
        ("regressor", is_regressor),
        ("outlier", is_outlier_detector),
        ("clusterer", _is_clusterer),
    )
    task = next((name for name, holds in checks if holds(model)), "transformer")
    if task == "transformer" and not hasattr(model, "transform"):
        task = "clusterer"
    if task == "clusterer" and not hasattr(model, "predict") and hasattr(model, "transform"):
        task = "transformer"  # clusters of features
    if not hasattr(model, "transform" if task == "transformer" else "predict"):
        if hasattr(model, "score_samples"):
            return "density"
        raise Unsupported(f"{type(model).__name__} neither predicts nor transforms: there is nothing to convert")
    return task


def _is_clusterer(model: Any) -> bool:
    """By the function of scikit-learn 1.6 and later, or by the mark that earlier ones go by."""
    from sklearn import base

    known = getattr(base, "is_clusterer", None)
    return bool(known(model)) if known else getattr(model, "_estimator_type", None) == "clusterer"


def precisions(model: Any) -> tuple[str, ...]:
    """Forms worth trying: a histogram boosting compares doubles, which float32 cannot hold apart, and which of two
    training rows is the nearer is a comparison of doubles too."""
    return ("float64",) if any(map(_compares_doubles, _parts(model))) else FLOATS


def _compares_doubles(part: Any) -> bool:
    name = type(part).__name__
    spreads = name in ("LabelPropagation", "LabelSpreading") and part.kernel == "knn"
    return spreads or name in _NEIGHBOURS or name.startswith(("HistGradientBoosting", "KNeighbors", "RadiusNeighbors"))


def _parts(model: Any) -> list[Any]:
    """The steps of a pipeline and of the pipelines in it; the model itself where it is none."""
    steps = getattr(model, "steps", None)
    return [part for _, step in steps for part in _parts(step)] if steps else [model]


def gives_probabilities(model: Any) -> bool:
    """Whether the model answers `predict_proba`: a Gaussian process of pairs of classes has it, and only raises."""
    last = _last_step(model)
    pairs = type(last).__name__ == "GaussianProcessClassifier" and last.multi_class == "one_vs_one"
    return hasattr(model, "predict_proba") and not (pairs and last.n_classes_ > 2) and not _chain_of_many(last)


def gives_decision(model: Any) -> bool:
    """Whether the model answers `decision_function`."""
    return hasattr(model, "decision_function") and not _chain_of_many(_last_step(model))


def _chain_of_many(model: Any) -> bool:
    """Whether the model is a chain with a target of more than two classes, which has a label and only raises else."""
    return type(model).__name__ == "ClassifierChain" and any(len(each) != 2 for each in model.classes_)


def _classes(model: Any) -> tuple[Scalar, ...]:
    classes = getattr(model, "classes_", None) if task_of(model) == "classifier" else None
    return () if classes is None or isinstance(classes, list) else tuple(classes.tolist())


def _targets(model: Any) -> tuple[tuple[Scalar, ...], ...]:
    classes = getattr(model, "classes_", None) if task_of(model) == "classifier" else None
    return tuple(tuple(each.tolist()) for each in classes) if isinstance(classes, list) else ()


def _width(model: Any, named: int) -> int:
    alone = 1 if type(model).__name__ == "IsotonicRegression" else None
    width = named or getattr(model, "n_features_in_", alone)
    if width is None:
        raise Unreadable(
            f"{type(model).__name__} does not know its number of features (n_features_in_): "
            "it is not fitted, was saved by a version before 0.24, or begins with a class of your own whose fit "
            "does not set it; fit it and save it again"
        )
    return int(width)


def _first_step(model: Any) -> Any:
    """What the input goes to first: through pipelines, unions and searches."""
    while True:
        parts = getattr(model, "steps", None) or getattr(model, "transformer_list", None)
        if not parts and not hasattr(model, "best_estimator_"):
            return model
        model = parts[0][1] if parts else model.best_estimator_


def _last_step(model: Any) -> Any:
    while hasattr(model, "steps"):
        model = model.steps[-1][1]
    return model
