"""Classes of the user's own, whole models: what they compute is the graph that their author gives."""

from __future__ import annotations

from typing import Any

from ._lookup import thresholds_of
from ._steps.assemble import assemble
from ._steps.titles import title_of
from ._steps.user_defined import dotted, step
from .plugin import Converter, Export, Original, Source
from .spec import TIES, Description, Feature, Scalar, Table, Unreadable


def describe(model: Any) -> Description:
    """What its attributes say, in scikit-learn's words: `n_features_in_`, `feature_names_in_`, `classes_`."""
    names = [str(n) for n in getattr(model, "feature_names_in_", ())]
    width = len(names) or getattr(model, "n_features_in_", None)
    if width is None:
        raise Unreadable(
            f"{dotted(type(model))} does not say how many columns it takes: let its fit set n_features_in_ "
            "(and feature_names_in_ for a data frame), and save it again"
        )
    jumps = thresholds_of(model, int(width))
    columns = names or [f"x{i}" for i in range(int(width))]
    return Description(
        title=title_of(model),
        task=_task(model),
        features=tuple(Feature(n, thresholds=tuple(map(float, t))) for n, t in zip(columns, jumps)),
        named=bool(names),
        classes=_classes(model),
    )


def _task(model: Any) -> str:
    if hasattr(model, "predict_proba") or hasattr(model, "classes_"):
        return "classifier"
    if hasattr(model, "predict"):
        return "regressor"
    if hasattr(model, "transform"):
        return "transformer"
    raise Unreadable(f"{dotted(type(model))} has neither predict nor transform")


def _classes(model: Any) -> tuple[Scalar, ...]:
    import numpy as np

    if _task(model) != "classifier":
        return ()
    classes = getattr(model, "classes_", None)
    if classes is None:
        raise Unreadable(f"{dotted(type(model))} has predict_proba but no classes_: let its fit set them")
    return tuple(np.asarray(classes).tolist())


def predict(model: Any, x: Any) -> Table:
    """The answers of its own methods."""
    import numpy as np

    task = _task(model)
    if task == "transformer":
        answer = {"transformed": model.transform(x)}
    elif task == "regressor":
        answer = {"prediction": model.predict(x)}
    else:
        answer = {"label": model.predict(x)}
        if hasattr(model, "predict_proba"):
            answer["probabilities"] = model.predict_proba(x)
    return {name: np.asarray(values) for name, values in answer.items()}


CONVERTER = Converter(
    name="custom",
    source=Source(),
    original=Original(describe=describe, predict=predict, processor=lambda model: TIES),
    export=Export(convert=assemble, step=step),
)
