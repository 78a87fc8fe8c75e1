"""lightgbm: the scikit-learn classes, native boosters, and model files (text).

A native booster predicts as `Booster.predict` does, up to its best iteration; for a classification objective, as
`label` and `probabilities`. lightgbm compares and adds in double.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._graph.category_codes import coded
from .._steps.assemble import assemble
from .._steps.step import Answer, Step, Thresholds
from .._trees.arrays import unique_thresholds
from .._trees.ensemble_sum import tree_sum
from ..needs import Requirement
from ..plugin import Converter, Export, Original, Source
from ..spec import FLOATS, Description, Feature, Scalar, Signature, Table, Unreadable, Unsupported
from .linear_trees import linear_sum
from .reader import ZERO, Parsed, objective_of, parsed

_WRAPPERS = ("LGBMClassifier", "LGBMRanker", "LGBMRegressor")
_CLASSIFIES = ("binary", "multiclass", "multiclassova")
_EXPONENTIAL = ("gamma", "poisson", "tweedie")
_PLAIN = ("", "custom", "lambdarank", "none", "rank_xendcg")
_SQUARES = ("fair", "huber", "mape", "quantile", "regression", "regression_l1")


def load(path: Path, given: Mapping[str, Any]) -> Any:
    """Loads the booster in a model file."""
    import lightgbm

    try:
        return lightgbm.Booster(model_file=str(path))
    except lightgbm.basic.LightGBMError as error:
        raise Unreadable(f"lightgbm cannot read {path.name}: {error}") from error


def _booster(model: Any) -> Any:
    return model if _is_booster(model) else model.booster_


def _is_booster(model: Any) -> bool:
    return type(model).__name__ == "Booster"


def _task(model: Any, content: Parsed) -> str:
    classifies = content.objective in _CLASSIFIES if _is_booster(model) else type(model).__name__ == "LGBMClassifier"
    return "classifier" if classifies else "regressor"


def _classes(model: Any, content: Parsed) -> tuple[Scalar, ...]:
    if _is_booster(model):
        return tuple(range(max(content.per_round, 2)))
    classes = tuple(model.classes_.tolist())
    if len(classes) < 2:
        raise Unsupported("LGBMClassifier fitted on a single class")
    return classes


def _categories(model: Any, content: Parsed) -> dict[int, list[Scalar]]:
    """Returns, by column, the categories of the data frame that the model was fitted on.

    lightgbm stores them without the columns' names: they are matched in order with the columns used as categories.
    """
    held = _booster(model).pandas_categorical or []
    if not held:
        return {}
    columns = next(
        (
            found
            for found in (content.listed, tuple(sorted(content.listed + content.unused)))
            if len(found) == len(held) and all(_covers(content, c, v) for c, v in zip(found, held))
        ),
        None,
    )
    if columns is None:
        raise Unsupported(
            f"categorical_feature: the {len(held)} categorical columns of the data frame cannot be matched with the "
            f"{len(content.listed)} columns that lightgbm used as categories (it treats ordered ones as numbers)"
        )
    return {column: [_plain(v) for v in values] for column, values in zip(columns, held)}


def _plain(value: Any) -> Scalar:
    value = value.item() if hasattr(value, "item") else value
    if not isinstance(value, (str, int, float, bool)):
        raise Unsupported(f"categorical_feature: the category {value!r} is neither text nor a number")
    return value


def _covers(content: Parsed, column: int, values: list[Scalar]) -> bool:
    return max(content.coded.get(column, ()), default=-1) < len(values)


def describe(model: Any) -> Description:
    """Describes a booster, or an object of the scikit-learn API."""
    content = parsed(_booster(model))
    task = _task(model, content)
    if task == "classifier" and callable(getattr(model, "objective_", None)):
        raise Unsupported("objective: an LGBMClassifier with a custom objective function predicts raw scores")
    return Description(
        title=type(model).__name__,
        task=task,
        features=_features(model, content),
        named=_named(content),
        classes=_classes(model, content) if task == "classifier" else (),
        notes=_notes(task) if _is_booster(model) else (),
    )


def _notes(task: str) -> tuple[str, ...]:
    """Returns the notes that apply to a native booster."""
    if task == "classifier":
        return ("a native booster stores no class names: label is the number of the class, from 0",)
    return ("a native booster: prediction is the result of Booster.predict",)


def _named(content: Parsed) -> bool:
    """Returns whether the model was fitted on columns with names of their own."""
    return content.names != tuple(f"Column_{i}" for i in range(len(content.names)))


def _features(model: Any, content: Parsed) -> tuple[Feature, ...]:
    categories = _categories(model, content)
    found = []
    for i, (name, thresholds) in enumerate(zip(content.names, _thresholds_of(content))):
        values = categories.get(i)
        if values is None:
            found.append(Feature(name, "number", tuple(thresholds), tuple(content.coded.get(i, ()))))
        else:
            found.append(Feature(name, "category", values=tuple(values), knows_empty="" in values))
    return tuple(found)


def _thresholds_of(content: Parsed) -> Thresholds:
    width = len(content.names)
    return [[] for _ in range(width)] if content.trees is None else unique_thresholds(content.trees, width)


def predict(model: Any, x: Any) -> Table:
    """Returns the original's `label` and `probabilities`, or `prediction`."""
    import numpy as np

    if type(model).__name__ == "LGBMClassifier":
        return {"label": np.asarray(model.predict(x)), "probabilities": np.asarray(model.predict_proba(x))}
    value = np.asarray(model.predict(x))
    if not _is_booster(model) or objective_of(model) not in _CLASSIFIES:
        return {"prediction": value}
    probabilities = np.stack([1.0 - value, value], axis=1) if value.ndim == 1 else value
    return {"label": np.argmax(probabilities, axis=1), "probabilities": probabilities}


def convert(model: Any, description: Description, signature: Signature, real: str, out: Path) -> None:
    """Writes the graph to `out`; see `Converter.convert`."""
    kinds = {f.name: f.kind for f in description.features}
    for spec in signature.inputs:
        if (spec.frame_dtype == "category") != (kinds.get(spec.name) == "category"):
            raise Unsupported(
                f"categorical_feature: column {spec.name!r} is {spec.frame_dtype or spec.dtype} in the example and "
                f"{kinds.get(spec.name)} in the model; ordered categories count as numbers and are not supported"
            )
    assemble(model, description, signature, real, out)


def _convert(model: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    _refuse_options(model)
    content = parsed(_booster(model), sparse=any(value.held is not None for value in frame))
    if not _named(content) and not any(value.dtype in FLOATS for value in frame):
        frame = (graph.matrix(frame, "float32"),)  # lightgbm's own cast of a matrix of integers
    x = coded(graph, frame, _categories(model, content), graph.real)
    total = _score(graph, content, x)
    score = graph.op("Div", total, graph.const(float(content.rounds))) if content.average else total
    value = _linked(graph, content, score)
    if _task(model, content) != "classifier":
        value = value if content.per_round > 1 else graph.op("Squeeze", value, graph.const([1], "int64"))
        return Answer(prediction=value)
    if content.per_round == 1:
        value = graph.op("Concat", graph.op("Sub", graph.const(1.0), value), value, axis=1)
        total = graph.op("Squeeze", total, graph.const([1], "int64"))
    index = graph.op("ArgMax", value, axis=1, keepdims=0)
    return Answer(index=index, probabilities=value, decision=total)  # the decision of a forest is its sum, not the mean


def _refuse_options(model: Any) -> None:
    options = {} if _is_booster(model) else model.get_params()
    if str(options.get("pred_early_stop", False)).lower() in ("true", "1", "+"):
        raise Unsupported("pred_early_stop: lightgbm skips trees for each row separately; switch it off")


def _score(graph: GraphBuilder, content: Parsed, x: Value) -> str:
    """Sums the trees, `[N, per_round]`."""
    if content.trees is None:
        raise Unsupported("the booster has no trees")
    ready = _prepared(graph, content, x)
    if content.models is None:
        return tree_sum(graph, content.trees, ready, "float64")
    return linear_sum(graph, content, ready, x)


def _prepared(graph: GraphBuilder, content: Parsed, x: Value) -> Value:
    """Replaces 0 by NaN in the columns where 0 is missing."""
    import numpy as np

    if not content.zero_missing:
        return x
    small = graph.op("LessOrEqual", graph.op("Abs", x.name), graph.const(ZERO))
    instead = np.where(np.isin(np.arange(x.width), content.zero_missing), np.nan, 0.0)[None, :]
    return Value(graph.op("Where", small, graph.const(instead), x.name), graph.real, x.width)


def _linked(graph: GraphBuilder, content: Parsed, score: str) -> str:
    """Adds the prediction for a score, as the objective defines it."""
    name = content.objective
    if name == "multiclass":
        return graph.op("Softmax", score, axis=1)
    if name in ("binary", "multiclassova"):
        sharp = float(content.options.get("sigmoid", 1))
        return _logistic(graph, score if sharp == 1 else graph.op("Mul", score, graph.const(sharp)))
    if name == "cross_entropy":
        return _logistic(graph, score)
    if name == "cross_entropy_lambda":
        return _log1p_exp(graph, score)
    if name in _EXPONENTIAL:
        return graph.op("Exp", score)
    if name in _SQUARES and "sqrt" in content.options:
        return graph.op("Mul", score, graph.op("Abs", score))
    if name in _SQUARES or name in _PLAIN:
        return score
    raise Unsupported(f"lightgbm's objective={name!r} is not supported")


def _logistic(graph: GraphBuilder, score: str) -> str:
    one = graph.const(1.0)
    return graph.op("Div", one, graph.op("Add", one, graph.op("Exp", graph.op("Neg", score))))


def _log1p_exp(graph: GraphBuilder, score: str) -> str:
    """`log1p(exp(score))`; by the first terms of the series where adding 1 would round the small number away."""
    small = graph.op("Exp", score)
    tail = graph.op("Sub", graph.const(0.5), graph.op("Mul", small, graph.const(1 / 3)))
    series = graph.op("Mul", small, graph.op("Sub", graph.const(1.0), graph.op("Mul", small, tail)))
    whole = graph.op("Log", graph.op("Add", small, graph.const(1.0)))
    return graph.op("Where", graph.op("Less", small, graph.const(1e-4)), series, whole)


def _known(model: Any) -> list[list[Scalar] | None]:
    content = parsed(_booster(model))
    categories = _categories(model, content)
    return [categories.get(i) for i in range(len(content.names))]


_STEP = Step(_convert, thresholds=lambda model: _thresholds_of(parsed(_booster(model))), values=_known)


def step(fitted: Any) -> Step | None:
    """Returns the step of a booster or of a scikit-learn class, else None."""
    if type(fitted).__module__.split(".")[0] != "lightgbm":
        return None
    return _STEP if _is_booster(fitted) or type(fitted).__name__ in _WRAPPERS else None


CONVERTER = Converter(
    name="lightgbm",
    source=Source(packages=("lightgbm",), containers=("text_lightgbm",), load=load),
    original=Original(describe=describe, predict=predict, takes_sparse=lambda model: True),
    export=Export(convert=convert, precisions=lambda model: ("float64",), step=step),
    needs=(Requirement("lightgbm>=4.5", "lightgbm", "lightgbm models"),),
)
