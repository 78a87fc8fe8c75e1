"""What a fitted scikit-learn object says of itself: its columns, its task, its classes."""

from __future__ import annotations

from typing import Any

from .._steps import thresholds_of, values_of
from ..spec import FLOATS, Description, Feature, Scalar, Unreadable, Unsupported

_TEXT = ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer")


def describe(model: Any) -> Description:
    """The description of any fitted estimator or pipeline."""
    names = [str(n) for n in getattr(model, "feature_names_in_", ())]
    document = _first_step(model).__class__.__name__ in _TEXT
    width = 1 if document else _width(model, len(names))
    thresholds = thresholds_of(model, width)
    values = values_of(model, width)
    columns = names or (["text"] if document else [f"x{i}" for i in range(width)])
    features = tuple(map(_feature, columns, thresholds, values))
    return Description(
        title=type(_last_step(model)).__name__,
        task=task_of(model),
        features=features,
        named=bool(names),
        classes=_classes(model),
        document=document,
    )


def _feature(name: str, thresholds: list[float], values: list[Scalar] | None) -> Feature:
    if values is None:
        return Feature(name, thresholds=tuple(float(t) for t in thresholds))
    known = [v for v in values if v is not None and v == v]
    kind = "text" if any(isinstance(v, str) for v in known) else "number"
    return Feature(
        name,
        kind=kind,
        thresholds=tuple(float(t) for t in thresholds),
        values=tuple(known),
        knows_empty="" in known or len(known) < len(values),
        missing="none" if any(v is None for v in values) else "nan",
    )


def task_of(model: Any) -> str:
    """The task, by the tags of the last step that has an opinion."""
    from sklearn.base import is_classifier, is_clusterer, is_outlier_detector, is_regressor

    checks = (
        ("classifier", is_classifier),
        ("regressor", is_regressor),
        ("outlier", is_outlier_detector),
        ("clusterer", is_clusterer),
    )
    task = next((name for name, holds in checks if holds(model)), "transformer")
    if task == "transformer" and not hasattr(model, "transform"):
        task = "clusterer"
    if not hasattr(model, "transform" if task == "transformer" else "predict"):
        raise Unsupported(f"{type(model).__name__} neither predicts nor transforms: there is nothing to convert")
    return task


def precisions(model: Any) -> tuple[str, ...]:
    """Forms worth trying: a histogram boosting compares doubles, which float32 cannot hold apart."""
    doubles = type(_last_step(model)).__name__.startswith("HistGradientBoosting")
    return ("float64",) if doubles else FLOATS


def _classes(model: Any) -> tuple[Scalar, ...]:
    classes = getattr(model, "classes_", None) if task_of(model) == "classifier" else None
    if classes is None:
        return ()
    if isinstance(classes, list):
        raise Unsupported("the classifier has several targets (multi-output): fit one classifier per target")
    return tuple(classes.tolist())


def _width(model: Any, named: int) -> int:
    width = named or getattr(model, "n_features_in_", None)
    if width is None:
        raise Unreadable(
            f"{type(model).__name__} does not know its number of features (n_features_in_): "
            "it is not fitted, or was saved by a version before 0.24; fit it and save it again"
        )
    return int(width)


def _first_step(model: Any) -> Any:
    while hasattr(model, "steps"):
        model = model.steps[0][1]
    return model


def _last_step(model: Any) -> Any:
    while hasattr(model, "steps"):
        model = model.steps[-1][1]
    return model
