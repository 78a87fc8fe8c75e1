"""xgboost: the scikit-learn classes, native boosters, and model files (`.json`, `.ubj`).

A native booster predicts as `Booster.predict` does, with all its rounds; for a classification objective, as
`label` and `probabilities`. A file that the scikit-learn classes wrote is loaded into its class again.
xgboost computes in float32, so the graph does too, whatever the type around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from .._graph.builder import Frame, GraphBuilder, Value
from .._graph.category_codes import coded
from .._steps.assemble import assemble
from .._steps.step import Answer, Step, Thresholds
from .._trees.arrays import unique_thresholds, with_base
from .._trees.ensemble_sum import tree_sum
from ..needs import Requirement
from ..plugin import Converter, Export, Original, Source
from ..spec import Description, Feature, Scalar, Signature, Table, Unreadable, Unsupported
from .reader import EXPONENTIAL, HINGE, LOGISTIC, PLAIN, SOFT, Parsed, objective_of, parsed

_WRAPPERS = ("XGBClassifier", "XGBModel", "XGBRFClassifier", "XGBRFRegressor", "XGBRanker", "XGBRegressor")
_CLASSIFIES = ("binary:hinge", "binary:logistic", *SOFT)
_SINGLE = "float32"
_CATEGORIES: WeakKeyDictionary[Any, Mapping[int, list[Scalar]]] = WeakKeyDictionary()
"""By booster that predicted with categories, the categories it knows per column."""


def load(path: Path, given: Mapping[str, Any]) -> Any:
    """Loads the model in a file: an object of the scikit-learn class that wrote it, else a native booster."""
    import json

    import xgboost

    with path.open("rb") as file:
        raw = bytearray(file.read())
    try:
        booster = xgboost.Booster()
        booster.load_model(raw)
        kind = json.loads(booster.attr("scikit_learn") or "{}").get("_estimator_type")
        name = {"classifier": "XGBClassifier", "regressor": "XGBRegressor", "ranker": "XGBRanker"}.get(kind)
        if name is None:
            return booster
        model = getattr(xgboost, name)()
        model.load_model(raw)
    except xgboost.core.XGBoostError as error:
        raise Unreadable(f"xgboost cannot read {path.name}: {str(error).splitlines()[0]}") from error
    return model


def _is_booster(model: Any) -> bool:
    return type(model).__name__ == "Booster"


def _read(model: Any) -> Parsed:
    """Parses a booster or an object that wraps one, with the rounds that its `predict` uses."""
    if _is_booster(model):
        return parsed(model, 0)
    booster = model.get_booster()
    rounds = booster.attr("best_iteration")
    return parsed(booster, 0 if rounds is None else int(rounds) + 1)


def _task(model: Any) -> str:
    if _is_booster(model):
        return "classifier" if objective_of(model)[0] in _CLASSIFIES else "regressor"
    return "classifier" if "Classifier" in type(model).__name__ else "regressor"


def _n_classes(model: Any) -> int:
    return max(objective_of(model)[1], 2) if _is_booster(model) else int(model.n_classes_)


def describe(model: Any) -> Description:
    """Describes a booster, or an object of the scikit-learn API."""
    content, task = _read(model), _task(model)
    return Description(
        title=type(model).__name__,
        task=task,
        features=_features(content),
        named=bool(content.names),
        classes=tuple(range(_n_classes(model))) if task == "classifier" else (),
        notes=_notes(task) if _is_booster(model) else (),
    )


def _notes(task: str) -> tuple[str, ...]:
    """Returns the notes that apply to a native booster."""
    rounds = "a native booster predicts with all its rounds, ignoring early stopping, and treats NaN as missing"
    labels = ("a native booster stores no class names: label is the number of the class, from 0",)
    return (rounds, *(labels if task == "classifier" else ()))


def _features(content: Parsed) -> tuple[Feature, ...]:
    names = content.names or tuple(f"f{i}" for i in range(content.width))
    thresholds = _thresholds_of(content)
    return tuple(_feature(content, i, name, t) for i, (name, t) in enumerate(zip(names, thresholds)))


def _feature(content: Parsed, i: int, name: str, thresholds: list[float]) -> Feature:
    values = content.categories.get(i)
    if values is None:
        return Feature(name, kind="number", thresholds=tuple(thresholds), values=tuple(content.coded.get(i, ())))
    return Feature(name, kind="category", values=tuple(values), knows_empty="" in values)


def _thresholds_of(content: Parsed) -> Thresholds:
    if content.trees is None:
        return [[] for _ in range(content.width)]
    return unique_thresholds(content.trees, content.width)


def predict(model: Any, x: Any) -> Table:
    """Returns the original's `label` and `probabilities`, or `prediction`."""
    import numpy as np

    _refuse_unknown(model, x)
    if _is_booster(model):
        return _predict_booster(model, x)
    if _task(model) == "classifier":
        return {"label": np.asarray(model.predict(x)), "probabilities": np.asarray(model.predict_proba(x))}
    return {"prediction": np.asarray(model.predict(x))}


def _refuse_unknown(model: Any, x: Any) -> None:
    """Raises for an unknown category. xgboost does so too, but its search takes some unknown texts for known ones:
    the resulting prediction is meaningless."""
    typed = [i for i, dtype in enumerate(getattr(x, "dtypes", ())) if str(dtype) == "category"]
    if not typed:
        return
    booster = model if _is_booster(model) else model.get_booster()
    if booster not in _CATEGORIES:
        _CATEGORIES[booster] = _read(model).categories
    for i in typed:
        known = _CATEGORIES[booster].get(i)
        unknown = set() if known is None else set(x.iloc[:, i].dropna().unique()) - set(known)
        if unknown:
            raise ValueError(f"the column {x.columns[i]!r} contains a category that the model does not know: {unknown}")


def _predict_booster(model: Any, x: Any) -> Table:
    import numpy as np
    import xgboost

    typed = {} if hasattr(x, "columns") else {"feature_types": model.feature_types}
    if hasattr(x, "tocsr"):
        typed["feature_names"] = model.feature_names
    data = xgboost.DMatrix(x, enable_categorical=True, **typed)
    value = np.asarray(model.predict(data))
    objective = objective_of(model)[0]
    if objective not in _CLASSIFIES:
        return {"prediction": value}
    if objective == "multi:softmax":
        value = _softmax(model.predict(data, output_margin=True))
    if value.ndim == 1:
        return {"label": (value > 0.5).astype(np.int64), "probabilities": np.stack([1 - value, value], axis=1)}
    return {"label": np.argmax(value, axis=1), "probabilities": value}


def _softmax(scores: Any) -> Any:
    import numpy as np

    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def convert(model: Any, description: Description, signature: Signature, real: str, out: Path) -> None:
    """Writes the graph to `out`; see `Converter.convert`."""
    kinds = {f.name: f.kind for f in description.features}
    for spec in signature.inputs:
        if spec.frame_dtype == "category" and kinds.get(spec.name) != "category":
            raise Unsupported(
                f"enable_categorical: the model does not contain the categories of column {spec.name!r}, which xgboost "
                "before 3.1 left to the data frame; train it with 3.1 or later"
            )
    assemble(model, description, signature, real, out)


def _convert(model: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    content = _read(model)
    missing = None if _is_booster(model) else _missing(model, content)
    x = _present(graph, frame, coded(graph, frame, content.categories, _SINGLE))
    margin = _margin(graph, content, _prepared(graph, x, content, missing))
    if _task(model) == "classifier":
        return _classified(graph, content, margin, _n_classes(model), _is_booster(model))
    if content.objective == "multi:softmax":
        raise Unsupported(f"objective='multi:softmax' of {type(model).__name__}: fit an XGBClassifier")
    value = _linked(graph, content, margin)
    value = value if content.groups > 1 else graph.op("Squeeze", value, graph.const([1], "int64"))
    return Answer(prediction=_in_real(graph, value))


def _present(graph: GraphBuilder, frame: Frame, x: Value) -> Value:
    """Replaces the absent cells of a sparse matrix by NaN, which xgboost treats as missing.

    A cell that rounds to 0 only in float32 is present in the matrix.
    """
    import numpy as np

    if all(value.held is None for value in frame):
        return x
    held = graph.held(graph.matrix(frame))
    name = graph.op("Where", held, x.name, graph.const(np.nan, _SINGLE))
    return Value(name, _SINGLE, x.width)


def _missing(model: Any, content: Parsed) -> float | None:
    """Returns the number that marks a missing cell besides NaN, if there is one."""
    missing = getattr(model, "missing", None)
    if missing is None or missing != missing:
        return None
    most = max((len(values) for values in content.categories.values()), default=0)
    if 0 <= missing < most:
        raise Unsupported(f"missing={missing}: it is also the code of a category (enable_categorical)")
    return float(missing)


def _prepared(graph: GraphBuilder, x: Value, content: Parsed, missing: float | None) -> Value:
    """Returns the matrix with NaN in every missing cell, and with integers in the columns of codes."""
    import numpy as np

    name = x.name
    if missing is not None:
        gone = graph.op("Equal", name, graph.const(missing, _SINGLE))
        name = graph.op("Where", gone, graph.const(np.nan, _SINGLE), name)
    fractional = [i for i in content.coded if i not in content.categories]
    if fractional:
        codes = np.isin(np.arange(x.width), fractional)[None, :]
        name = graph.op("Where", graph.const(codes), graph.op("Floor", name), name)
    return Value(name, _SINGLE, x.width)


def _margin(graph: GraphBuilder, content: Parsed, x: Value) -> str:
    """Returns the score before the objective's link, float32 `[N, groups]`."""
    if content.weights is not None:
        return _linear(graph, content, x)
    base = graph.const(content.base[None, :], _SINGLE)
    if content.trees is None:
        none = graph.op("ReduceSum", graph.op("Mul", x.name, graph.const(0.0, _SINGLE)), graph.const([1], "int64"))
        return graph.op("Where", graph.op("IsNaN", none), base, base)
    if content.trees.leaf.ndim == 2:
        return graph.op("Add", tree_sum(graph, content.trees, x, _SINGLE, sums=_SINGLE), base)
    return tree_sum(graph, with_base(content.trees, content.base.tolist()), x, _SINGLE, sums=_SINGLE)


def _linear(graph: GraphBuilder, content: Parsed, x: Value) -> str:
    """Multiplies the weights with the cells that are not missing, and adds the bias."""
    assert content.weights is not None
    present = graph.op("Where", graph.op("IsNaN", x.name), graph.const(0.0, _SINGLE), x.name)
    total = graph.op("MatMul", present, graph.const(content.weights[:-1], _SINGLE))
    bias = content.weights[-1] + content.base[0]  # the first group's base for all, as in xgboost
    return graph.op("Add", total, graph.const(bias[None, :], _SINGLE))


def _linked(graph: GraphBuilder, content: Parsed, margin: str) -> str:
    """Adds the prediction for a score, as the objective defines it."""
    objective = content.objective
    if objective in LOGISTIC:
        one = graph.const(1.0, _SINGLE)
        return graph.op("Div", one, graph.op("Add", graph.op("Exp", graph.op("Neg", margin)), one))
    if objective in EXPONENTIAL:
        return graph.op("Exp", margin)
    if objective in SOFT:
        return graph.op("Softmax", margin, axis=1)
    if objective == HINGE:
        return graph.op("Cast", graph.op("Greater", margin, graph.const(0.0, _SINGLE)), to=1)
    if objective in PLAIN:
        return margin
    raise Unsupported(f"xgboost's objective={objective!r} is not supported")


def _classified(graph: GraphBuilder, content: Parsed, margin: str, classes: int, native: bool) -> Answer:
    """Returns the class and the probabilities that the scikit-learn class derives from the prediction."""
    value = _linked(graph, content, margin)
    soft = content.objective in SOFT
    if content.groups == 1 and not soft:
        over = graph.op("Cast", graph.op("Greater", value, graph.const(0.5, _SINGLE)), to=7)
        index = graph.op("Squeeze", over, graph.const([1], "int64"))
        both = graph.op("Concat", graph.op("Sub", graph.const(1.0, _SINGLE), value), value, axis=1)
        return Answer(index=index, probabilities=_in_real(graph, both))
    if content.groups != classes or not soft:
        raise Unsupported("XGBClassifier fitted on several targets (multi-label): fit one classifier per target")
    if classes < 3 and not native and content.objective == "multi:softprob":
        raise Unsupported("XGBClassifier with objective='multi:softprob' and 2 classes predicts as if multi-label")
    scores = margin if content.objective == "multi:softmax" and not native else value
    return Answer(index=graph.op("ArgMax", scores, axis=1, keepdims=0), probabilities=_in_real(graph, value))


def _in_real(graph: GraphBuilder, value: str) -> str:
    name = graph.cast(Value(value, _SINGLE), graph.real).name
    graph.single.add(name)
    return name


def _known(model: Any) -> list[list[Scalar] | None]:
    content = _read(model)
    return [content.categories.get(i) for i in range(content.width)]


_STEP = Step(_convert, thresholds=lambda model: _thresholds_of(_read(model)), values=_known)


def step(fitted: Any) -> Step | None:
    """Returns the step of a booster or of a scikit-learn class, else None."""
    if type(fitted).__module__.split(".")[0] != "xgboost":
        return None
    return _STEP if _is_booster(fitted) or type(fitted).__name__ in _WRAPPERS else None


CONVERTER = Converter(
    name="xgboost",
    source=Source(packages=("xgboost",), containers=("json_xgboost",), load=load),
    original=Original(describe=describe, predict=predict, takes_sparse=_is_booster),
    export=Export(convert=convert, step=step),
    needs=(Requirement("xgboost-cpu>=3", "xgboost", "xgboost models", instead=("xgboost",)),),
)
