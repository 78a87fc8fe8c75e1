"""What is done to a target: regressors of a transformed one, and labels as numbers.

A prediction goes back through the inverse of the transformer. The encoders of labels take one column, `y`.
"""

from __future__ import annotations

from typing import Any, Callable

from .._graph.builder import Frame, GraphBuilder, Value
from .._lookup import convert
from .._steps.step import Answer, Step
from ..spec import Unsupported
from . import _members as members
from . import _scores as scores
from ._categories import known_values, lookup
from ._interpolation import unranked

Inverse = Callable[[Any, str, GraphBuilder], str]


def regressor(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """TransformedTargetRegressor, for transformers whose inverse has a converter."""
    inner = fitted.regressor_
    value = members.given(convert(inner, frame, graph).prediction, inner, "a prediction")
    one = fitted._training_dim == 1
    found = inverse(fitted.transformer_, scores.column(graph, value) if one else value, graph)
    return Answer(prediction=scores.flat(graph, found) if one else found)


def inverse(transformer: Any, value: str, graph: GraphBuilder) -> str:
    """What `transformer.inverse_transform` makes of `[N, T]`."""
    kind = type(transformer).__name__
    own = type(transformer).__module__.split(".")[0] == "sklearn"
    if not own or kind not in _INVERSES:
        raise Unsupported(f"the target goes back through {kind}: its inverse has no converter")
    return _INVERSES[kind](transformer, value, graph)


def _pipeline(transformer: Any, value: str, graph: GraphBuilder) -> str:
    for _, step in reversed(transformer.steps):
        if step is not None and step != "passthrough":
            value = inverse(step, value, graph)
    return value


def _function(transformer: Any, value: str, graph: GraphBuilder) -> str:
    import numpy as np

    function = transformer.inverse_func
    if function is None:
        return value
    if transformer.inv_kw_args:
        raise Unsupported("the inverse function of the target has arguments of its own (inv_kw_args): no converter")
    name = next((n for n in _FUNCTIONS if getattr(np, n) is function), None)
    if name is None:
        raise Unsupported(
            f"the inverse function of the target is {getattr(function, '__qualname__', function)!r}: "
            f"only numpy's own {', '.join(_FUNCTIONS)} have a converter"
        )
    return _FUNCTIONS[name](value, graph)


def _expm1(value: str, graph: GraphBuilder) -> str:
    """`exp(x) - 1` as `tanh(x / 2) * (exp(x) + 1)`, which keeps its digits near 0."""
    half = graph.op("Tanh", graph.op("Mul", value, graph.const(0.5)))
    return graph.op("Mul", half, graph.op("Add", graph.op("Exp", value), graph.const(1.0)))


def _log1p(value: str, graph: GraphBuilder) -> str:
    """`log(1 + x)` as `x * log(u) / (u - 1)` for `u = 1 + x`, which keeps its digits near 0."""
    one = graph.const(1.0)
    moved = graph.op("Add", value, one)
    rest = graph.op("Sub", moved, one)
    plain = graph.op("Log", moved)
    tiny = graph.op("Equal", rest, graph.const(0.0))
    ratio = graph.op("Div", value, graph.op("Where", tiny, one, rest))
    close = graph.op("Less", graph.op("Abs", value), graph.const(0.5))
    return graph.op("Where", tiny, value, graph.op("Where", close, graph.op("Mul", plain, ratio), plain))


def _node(kind: str) -> Callable[[str, GraphBuilder], str]:
    return lambda value, graph: graph.op(kind, value)


def _power_of(base: float) -> Callable[[str, GraphBuilder], str]:
    return lambda value, graph: graph.op("Pow", graph.const(base), value)


def _log_to(base: float) -> Callable[[str, GraphBuilder], str]:
    import math

    return lambda value, graph: graph.op("Div", graph.op("Log", value), graph.const(math.log(base)))


_FUNCTIONS: dict[str, Callable[[str, GraphBuilder], str]] = {
    "exp": _node("Exp"),
    "expm1": _expm1,
    "exp2": _power_of(2.0),
    "log": _node("Log"),
    "log1p": _log1p,
    "log2": _log_to(2.0),
    "log10": _log_to(10.0),
    "sqrt": _node("Sqrt"),
    "square": lambda value, graph: graph.op("Mul", value, value),
    "negative": _node("Neg"),
    "reciprocal": _node("Reciprocal"),
}


def _scaled(times: str, plus: str) -> Inverse:
    """The inverse `value * times + plus`, each an attribute that may be None or missing."""

    def through(transformer: Any, value: str, graph: GraphBuilder) -> str:
        scale, moved = getattr(transformer, times, None), getattr(transformer, plus, None)
        scaled = value if scale is None else graph.op("Mul", value, graph.const(scale))
        return scaled if moved is None else graph.op("Add", scaled, graph.const(moved))

    return through


def _standard(transformer: Any, value: str, graph: GraphBuilder) -> str:
    scaled = graph.op("Mul", value, graph.const(transformer.scale_)) if transformer.with_std else value
    return graph.op("Add", scaled, graph.const(transformer.mean_)) if transformer.with_mean else scaled


def _min_max(transformer: Any, value: str, graph: GraphBuilder) -> str:
    moved = graph.op("Sub", value, graph.const(transformer.min_))
    return graph.op("Div", moved, graph.const(transformer.scale_))


def _power(transformer: Any, value: str, graph: GraphBuilder) -> str:
    """The inverse of Yeo-Johnson or Box-Cox, column by column."""
    if transformer.standardize:
        value = _standard(transformer._scaler, value, graph)
    turn = _yeo_johnson if transformer.method == "yeo-johnson" else _box_cox
    found = [turn(scores.pick(graph, value, i), float(power), graph) for i, power in enumerate(transformer.lambdas_)]
    return members.side_by_side(graph, found)


def _raised(base: str, power: float, graph: GraphBuilder) -> str:
    return graph.op("Pow", base, graph.const(power))


def _yeo_johnson(value: str, power: float, graph: GraphBuilder) -> str:
    one, tiny = graph.const(1.0), 2.220446049250313e-16
    if abs(power) < tiny:
        upper = _expm1(value, graph)
    else:
        grown = graph.op("Add", graph.op("Mul", value, graph.const(power)), one)
        upper = graph.op("Sub", _raised(grown, 1 / power, graph), one)
    if abs(power - 2) > tiny:
        shrunk = graph.op("Add", graph.op("Mul", value, graph.const(-(2 - power))), one)
        lower = graph.op("Sub", one, _raised(shrunk, 1 / (2 - power), graph))
    else:
        lower = graph.op("Neg", _expm1(graph.op("Neg", value), graph))
    return graph.op("Where", graph.op("GreaterOrEqual", value, graph.const(0.0)), upper, lower)


def _box_cox(value: str, power: float, graph: GraphBuilder) -> str:
    if power == 0:
        return graph.op("Exp", value)
    grown = graph.op("Add", graph.op("Mul", value, graph.const(power)), graph.const(1.0))
    return _raised(grown, 1 / power, graph)


_INVERSES: dict[str, Inverse] = {
    "Pipeline": _pipeline,
    "FunctionTransformer": _function,
    "StandardScaler": _standard,
    "MinMaxScaler": _min_max,
    "MaxAbsScaler": _scaled("scale_", "none_"),
    "RobustScaler": _scaled("scale_", "center_"),
    "PowerTransformer": _power,
    "QuantileTransformer": unranked,
}


def label_codes(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """LabelEncoder: the position of each label among the classes, `int64 [N]`."""
    return Answer(transformed=(Value(_positions(fitted, frame, graph), "int64"),))


def label_columns(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """LabelBinarizer: a column per class, or one for the second of two, `int64`."""
    import numpy as np

    if fitted.y_type_.startswith("multilabel"):
        raise Unsupported("LabelBinarizer was fitted on several labels per row: there is nothing to binarize")
    count = len(fitted.classes_)
    columns = np.arange(count) if count > 2 else np.array([1])
    hit = graph.op("Equal", _positions(fitted, frame, graph), graph.const(columns[None], "int64"))
    numbers = (graph.const([[int(n)]], "int64") for n in (fitted.pos_label, fitted.neg_label))
    return Answer(transformed=(Value(graph.op("Where", hit, *numbers), "int64", len(columns)),))


def _positions(fitted: Any, frame: Frame, graph: GraphBuilder) -> str:
    return lookup(frame[0], fitted.classes_, range(len(fitted.classes_)), -1, graph)


def _labels(fitted: Any) -> list[list[Any]]:
    return [known_values(fitted.classes_)]


STEPS = {
    "TransformedTargetRegressor": members.of_members(regressor, lambda f: members.everywhere(f, [f.regressor_])),
    "LabelEncoder": Step(label_codes, values=_labels),
    "LabelBinarizer": Step(label_columns, values=_labels),
}
