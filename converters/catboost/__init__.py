"""CatBoost: classifiers, regressors and rankers, in pickles, `.cbm` files and its JSON format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._steps.assemble import assemble
from .._steps.step import Answer, Step, Thresholds
from .._trees.arrays import unique_thresholds
from .._trees.ensemble_sum import tree_sum
from ..needs import Requirement
from ..plugin import Converter, Export, Original, Probing, Source
from ..spec import Description, Feature, Scalar, Table, Unreadable, Unsupported
from .category_tables import category_columns, known_categories
from .reader import SEARCHED, Parsed, integers_behind, parse

_KINDS = ("CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker")
_CLASSIFIES = ("Logloss", "CrossEntropy", "Focal", "MultiClass", "MultiClassOneVsAll", "MultiLogloss")
_RANKS = ("YetiRank", "Pair", "Query", "Group", "Stochastic", "LambdaMart")
_LABELS_EACH = ("MultiLogloss", "MultiCrossEntropy")


def load(path: Path, given: Mapping[str, Any]) -> Any:
    """Loads the model of a file, in the class that fits its loss."""
    import catboost

    with path.open("rb") as file:
        form = "cbm" if file.read(4) == b"CBM1" else "json"
    try:
        model = catboost.CatBoost().load_model(str(path), format=form)
        return _kind(model)().load_model(str(path), format=form)
    except catboost.CatBoostError as error:
        raise Unreadable(f"CatBoost {catboost.__version__} cannot read {path.name}: {error}") from error


def _kind(model: Any) -> Any:
    import catboost

    if _loss(model) in _CLASSIFIES or len(model.classes_) > 0:
        return catboost.CatBoostClassifier
    return catboost.CatBoostRanker if _loss(model).startswith(_RANKS) else catboost.CatBoostRegressor


def describe(model: Any) -> Description:
    """Describes a fitted model."""
    _check(model)
    parsed = parse(model)
    names = [str(n) for n in model.feature_names_]
    features = tuple(map(_feature, names, _columns(parsed, len(names)), _known(parsed, len(names))))
    classifies = _is_classifier(model)
    return Description(
        title=f"{type(model).__name__} ({_loss(model)}, {len(parsed.trees.roots)} trees)",
        task="classifier" if classifies else "regressor",
        features=features,
        named=names != [str(i) for i in range(len(names))],
        classes=tuple(model.classes_.tolist()) if classifies else (),
        notes=_notes(model, parsed),
    )


def _check(model: Any) -> None:
    if not model.is_fitted():
        raise Unreadable(f"the {type(model).__name__} is not fitted: fit it and save it again")
    if _is_classifier(model) and _loss(model) in _LABELS_EACH:
        raise Unsupported(f"the loss {_loss(model)} predicts several labels per row: fit one classifier per label")


def _notes(model: Any, parsed: Parsed) -> tuple[str, ...]:
    notes = []
    if type(model).__name__ == "CatBoost" and len(model.classes_):
        notes.append("the class CatBoost predicts raw scores; load it as CatBoostClassifier for labels")
    if parsed.one_hot or parsed.ctrs:
        notes.append(
            "CatBoost stores hashes of categories, not the categories: they are looked up among the example's and the "
            f"integers {SEARCHED.start} to {SEARCHED.stop - 1}; others with the same 32-bit hash would differ"
        )
    return tuple(notes)


def _feature(name: str, thresholds: list[float], values: list[Scalar] | None) -> Feature:
    if values is None:
        return Feature(name, thresholds=tuple(thresholds))
    return Feature(name, kind="integer" if values else "", values=tuple(values), knows_empty=True)


def adapt(model: Any, description: Description) -> Description:
    """Returns the description with the known categories among the example's own."""
    parsed = parse(model)
    features = list(description.features)
    for number, position in enumerate(parsed.categories):
        cells = (description.example or {}).get(features[position].name)
        if cells is not None and cells.dtype.kind in "OU":
            known = known_categories(parsed, number, cells, "string")
            features[position] = replace(features[position], kind="text", values=tuple(known))
        elif cells is not None and cells.dtype.kind in "iu":
            known = known_categories(parsed, number, cells, "int64")
            features[position] = replace(features[position], kind="integer", values=tuple(known))
    return replace(description, features=tuple(features))


def _columns(parsed: Parsed, width: int) -> Thresholds:
    """Returns the borders per column of the model."""
    found = unique_thresholds(parsed.trees, len(parsed.numbers))
    for projection in {ctr.projection for ctr in parsed.ctrs}:
        for number, border in projection.borders:
            found[number] = sorted({*found[number], border})
    columns: Thresholds = [[] for _ in range(width)]
    for position, thresholds in zip(parsed.numbers, found):
        columns[position] = thresholds
    return columns


def _known(parsed: Parsed, width: int) -> list[list[Scalar] | None]:
    """Returns, per column, its categories if all are integers, else an empty list; None for numeric columns."""
    columns: list[list[Scalar] | None] = [None] * width
    for number, position in enumerate(parsed.categories):
        hashes = parsed.hashes(number)
        groups = integers_behind(hashes) if hashes else {}
        columns[position] = [i for group in groups.values() for i in group] if all(groups.values()) else []
    return columns


def _is_classifier(model: Any) -> bool:
    return type(model).__name__ == "CatBoostClassifier"


def _loss(model: Any) -> str:
    return str(model._object._get_loss_function_name())


def predict(model: Any, x: Any) -> Table:
    """Returns the original's `label` and `probabilities`, or `prediction`."""
    import numpy as np

    answer = np.asarray(model.predict(x))
    if not _is_classifier(model):
        return {"prediction": answer}
    probabilities = np.asarray(model.predict_proba(x)).reshape(len(answer), len(model.classes_))
    return {"label": answer.ravel(), "probabilities": probabilities}


def convert(model: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Adds the nodes of a fitted model: the sum of its trees, then its loss's link."""
    _check(model)
    parsed = parse(model)
    raw = tree_sum(graph, parsed.trees, _matrix(parsed, frame, graph), "float32")
    if parsed.scale != 1:
        raw = graph.op("Mul", raw, graph.const(parsed.scale))
    if any(parsed.bias):
        raw = graph.op("Add", raw, graph.const(list(parsed.bias)))
    if not _is_classifier(model):
        return Answer(prediction=_linked(model, raw, graph))
    return _binary(parsed, raw, graph) if parsed.trees.targets == 1 else _several(model, raw, graph)


def _matrix(parsed: Parsed, frame: Frame, graph: GraphBuilder) -> Value:
    """Returns the numeric columns in float32, as CatBoost compares them, then a column per category or statistic."""
    numbers = None
    if parsed.numbers:
        columns = graph.select(frame, parsed.numbers)
        kinds = {v.dtype for v in columns}
        numbers = graph.cast(graph.matrix(columns, kinds.pop() if len(kinds) == 1 else "float32"), "float32")
    parts = category_columns(parsed, frame, numbers, graph)
    return graph.matrix((numbers, *parts) if numbers else tuple(parts), "float32")


def _binary(parsed: Parsed, raw: str, graph: GraphBuilder) -> Answer:
    import numpy as np

    above = graph.op("Greater", raw, graph.const(_cut(parsed)))
    index = graph.op("Reshape", graph.op("Cast", above, to=7), graph.const([-1], "int64"))
    both = graph.op("Mul", raw, graph.const(np.array([[-1.0, 1.0]])))
    return Answer(index=index, probabilities=graph.op("Sigmoid", both))


def _cut(parsed: Parsed) -> float:
    """Returns the raw score above which the second class is predicted."""
    import numpy as np

    threshold = parsed.metadata.get("binclass_probability_threshold")
    if threshold is None:
        return 0.0
    with np.errstate(divide="ignore"):
        return float(-np.log(1 / np.float64(threshold) - 1))


def _several(model: Any, raw: str, graph: GraphBuilder) -> Answer:
    each = _loss(model) == "MultiClassOneVsAll"
    probabilities = graph.op("Sigmoid", raw) if each else graph.op("Softmax", raw, axis=1)
    return Answer(index=graph.op("ArgMax", raw, axis=1, keepdims=0), probabilities=probabilities)


def _linked(model: Any, raw: str, graph: GraphBuilder) -> str:
    ask = getattr(model, "_get_default_prediction_type", None)
    kind = ask() if ask is not None else "RawFormulaVal"
    if kind == "RawFormulaVal":
        return raw
    if kind == "Exponent":
        return graph.op("Exp", raw)
    if kind == "RMSEWithUncertainty":
        mean = graph.op("Gather", raw, graph.const([0], "int64"), axis=1)
        log_deviation = graph.op("Gather", raw, graph.const([1], "int64"), axis=1)
        variance = graph.op("Exp", graph.op("Mul", log_deviation, graph.const(2.0)))
        return graph.op("Concat", mean, variance, axis=1)
    raise Unsupported(f"the CatBoost prediction type {kind} has no converter")


def _width(model: Any) -> int:
    return len(model.feature_names_)


STEP = Step(
    convert,
    thresholds=lambda model: _columns(parse(model), _width(model)),
    values=lambda model: _known(parse(model), _width(model)),
)


def step(fitted: Any) -> Step | None:
    """Returns the step of a CatBoost model; None for another class of the package."""
    return STEP if type(fitted).__name__ in _KINDS and type(fitted).__module__.startswith("catboost") else None


CONVERTER = Converter(
    name="catboost",
    source=Source(packages=("catboost",), containers=("cbm", "json_catboost"), load=load),
    original=Original(describe=describe, predict=predict),
    probing=Probing(adapt=adapt),
    export=Export(convert=assemble, step=step),
    needs=(Requirement("catboost>=1.2.7", "catboost", "catboost models"),),
)
