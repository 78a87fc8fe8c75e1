"""The standard converter (skl2onnx) as a step, for classes of a newer scikit-learn that have no step of ours yet."""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._graph.builder import _onnx_type as onnx_type
from .._graph.inlining import inline
from .._steps.step import Answer, Step
from ..spec import Unsupported
from ._categories import tensor
from ._describe import task_of


def standard_step(fitted: Any) -> Step | None:
    """Returns a step that inlines skl2onnx's graph; None where it has no converter for the class."""
    try:
        from skl2onnx import supported_converters
        from skl2onnx._supported_operators import sklearn_operator_name_map
    except ImportError:
        return None
    known = sklearn_operator_name_map.get(type(fitted), "") in supported_converters(from_sklearn=False)
    return Step(_convert) if known else None


def _convert(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    name = type(fitted).__name__
    if any(hasattr(value, "fit") for value in fitted.get_params(deep=False).values()):
        raise Unsupported(f"there is no converter for {name}, which contains other estimators")
    x = graph.matrix(frame)
    model = _standard_model(fitted, name, x)
    try:
        outputs = list(inline(model, {model.graph.input[0].name: x.name}, graph).values())
    except Unsupported as reason:
        raise Unsupported(f"the standard converter's graph for {name} cannot be used: {reason}") from None
    widths = [_declared_width(output) for output in model.graph.output]
    return _answer(fitted, x, outputs, widths, graph)


def _standard_model(fitted: Any, name: str, x: Value) -> Any:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    kind = FloatTensorType if x.dtype == "float32" else DoubleTensorType
    settings = {"initial_types": [("x", kind([None, x.width]))], "target_opset": {"": 21, "ai.onnx.ml": 3}}
    reason: Exception | None = None
    for options in ({id(fitted): {"zipmap": False}}, None):
        try:
            return convert_sklearn(fitted, options=options, **settings)
        except Exception as error:  # it raises exceptions of any type
            # the first attempt fails for classes without the option; the second one's reason is reported
            reason = error
    line = next((text.strip() for text in str(reason).splitlines() if text.strip()), type(reason).__name__)
    raise Unsupported(f"the standard converter (skl2onnx) cannot convert {name}: {line}") from reason


def _declared_width(output: Any) -> int | None:
    """Returns the number of an output's columns that its graph declares; 0 for `[N]`, None if undeclared."""
    dims = output.type.tensor_type.shape.dim
    if len(dims) < 2:
        return 0 if len(dims) == 1 else None
    return int(dims[1].dim_value) if dims[1].HasField("dim_value") else None


def _answer(fitted: Any, x: Value, outputs: list[str], widths: list[int | None], graph: GraphBuilder) -> Answer:
    task = task_of(fitted)
    if task == "classifier":
        return _classified(fitted, outputs, graph)
    if task == "outlier":
        return Answer(label=_flat(outputs[0], graph), decision=_real(_flat(outputs[1], graph), graph))
    if task == "clusterer":
        return Answer(label=_flat(outputs[0], graph))
    shape = _one_answer(fitted, x.width).shape
    width = shape[1] if len(shape) > 1 else 0
    if widths[0] is not None and widths[0] != width and (width, widths[0]) != (0, 1):
        raise Unsupported(
            f"the standard converter (skl2onnx) returns {widths[0]} columns for {type(fitted).__name__}, not {width}"
        )
    if task == "regressor":
        return Answer(prediction=_real(outputs[0], graph))
    return Answer(transformed=(Value(_real(outputs[0], graph), graph.real, width),))


def _one_answer(fitted: Any, width: int) -> Any:
    """Returns the original's output for one row of ones, which every numeric estimator accepts."""
    import numpy as np
    from sklearn.base import is_regressor

    row = np.ones((1, width))
    return np.asarray(fitted.predict(row) if is_regressor(fitted) else fitted.transform(row))


def _classified(fitted: Any, outputs: list[str], graph: GraphBuilder) -> Answer:
    """Returns the label as its position among the classes, and the probabilities where the model has them."""
    classes = fitted.classes_.tolist()
    kind = "string" if isinstance(classes[0], str) else "int64"
    keys = classes if kind == "string" else [int(c) for c in classes]
    label = _flat(outputs[0], graph)
    index = graph.ml(
        "LabelEncoder",
        label,
        keys_tensor=tensor(keys, kind),
        values_tensor=tensor(range(len(keys)), "int64"),
        default_tensor=tensor([0], "int64"),
    )
    if hasattr(fitted, "predict_proba"):
        return Answer(index=index, probabilities=_real(outputs[1], graph))
    return Answer(index=index, decision=_real(outputs[1], graph) if len(classes) > 2 else None)


def _flat(name: str, graph: GraphBuilder) -> str:
    return graph.op("Reshape", name, graph.const([-1], "int64"))


def _real(name: str, graph: GraphBuilder) -> str:
    """Returns the output in the graph's own type, whatever type the standard converter chose."""
    return graph.op("Cast", name, to=onnx_type(graph.real))
