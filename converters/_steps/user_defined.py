"""Graphs from the author of a class: a method of the class, or a function registered for it.

A class defines `to_onnx_graph(self, graph, frame)`. For a class that cannot, `mlpack_converters.py` in a folder of
`--code` defines `STEPS = {"package.module.Class": function}`, called as `function(fitted, graph, frame)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from importlib import util
from pathlib import Path
from typing import Any, Callable

from .._graph.builder import Frame, GraphBuilder, Value
from .._graph.inlining import inline
from ..spec import Unreadable, Unsupported
from .step import Answer, Step

Author = Callable[[Any, GraphBuilder, Frame], Any]
REGISTRY = "mlpack_converters.py"
METHOD = "to_onnx_graph"
PLACES = tuple(f.name for f in fields(Answer))

_steps: dict[str, Author] = {}
_thresholds: dict[str, Callable[[Any], Any]] = {}


def register(folders: Sequence[str]) -> None:
    """Registers the steps of the `mlpack_converters.py` in each of these folders."""
    for i, folder in enumerate(folders):
        path = Path(folder) / REGISTRY
        if path.is_file():
            module = _imported(path, f"_mlpack_registered_{i}")
            _steps.update(_functions(module, "STEPS", path))
            _thresholds.update(_functions(module, "THRESHOLDS", path))
            if not getattr(module, "STEPS", None):
                raise Unreadable(f'{path} registers nothing: define STEPS = {{"package.module.Class": function}}')


def _imported(path: Path, name: str) -> Any:
    spec = util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ImportError:
        raise
    except Exception as error:
        raise Unreadable(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _functions(module: Any, table: str, path: Path) -> dict[str, Any]:
    found = getattr(module, table, {})
    if not isinstance(found, Mapping) or not all(isinstance(k, str) and callable(v) for k, v in found.items()):
        raise Unreadable(f"{path}: {table} must map dotted class names to functions")
    return dict(found)


def dotted(thing: Any) -> str:
    """Returns the full name of a class or a function."""
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', getattr(thing, '__name__', ''))}"


def step(fitted: Any) -> Step | None:
    """Returns the author's own step for the object's exact class, or None."""
    kind = type(fitted)
    author = _steps.get(dotted(kind)) or getattr(kind, METHOD, None)
    if author is None:
        return None
    jumps = _thresholds.get(dotted(kind)) or getattr(kind, "onnx_thresholds", None)
    return Step(_through(author), thresholds=jumps)


def function_step(function: Any) -> Author | None:
    """Returns the step registered for a function by its dotted name, or None."""
    return _steps.get(dotted(function))


def _through(author: Author) -> Callable[[Any, Frame, GraphBuilder], Answer]:
    def convert(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
        return answered(author, fitted, frame, graph)

    return convert


def answered(author: Author, fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the result of the author's function as an `Answer`; its errors become `Unsupported`."""
    try:
        given = author(fitted, graph, frame)
    except Unsupported:
        raise
    except Exception as error:
        raise Unsupported(f"the graph of {dotted(type(fitted))}: {type(error).__name__}: {error}") from error
    if type(given).__name__ == "ModelProto":
        given = _inlined(given, frame, graph, fitted)
    return _with_index(_answer(given, fitted), graph)


def _answer(given: Any, fitted: Any) -> Answer:
    if isinstance(given, Answer):
        return given
    if isinstance(given, Value):
        return Answer(transformed=(given,))
    if isinstance(given, (tuple, list)) and given and all(isinstance(v, Value) for v in given):
        return Answer(transformed=tuple(given))
    if isinstance(given, Mapping) and given and set(given) <= set(PLACES):
        return Answer(**{k: _frame(v, fitted) if k == "transformed" else _name(v) for k, v in given.items()})
    raise Unsupported(
        f"the graph of {dotted(type(fitted))} returns {given!r}: return graph.block(name, width) for a transformer, "
        f"a dict with some of {', '.join(PLACES)} for the rest, or an onnx.ModelProto"
    )


def _name(given: Any) -> Any:
    return given.name if isinstance(given, Value) else given


def _frame(given: Any, fitted: Any) -> Any:
    answer = _answer(given, fitted)
    assert answer.transformed is not None
    return answer.transformed


def _with_index(answer: Answer, graph: GraphBuilder) -> Answer:
    """Derives the label where there are only probabilities: the largest one's, the first among equals."""
    if answer.probabilities is None or answer.index is not None or answer.label is not None:
        return answer
    return replace(answer, index=graph.op("ArgMax", answer.probabilities, axis=1, keepdims=0))


def _inlined(model: Any, frame: Frame, graph: GraphBuilder, fitted: Any) -> Any:
    """Inlines the author's own ONNX model: outputs are matched by name, a single one is what such a step answers."""
    constants = {c.name for c in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in constants]
    own = {value.column: value for value in frame if value.column}
    if len(inputs) == 1:
        fed = {inputs[0].name: graph.matrix(frame, _kind(inputs[0])).name}
    elif all(i.name in own for i in inputs):
        fed = {i.name: graph.cast(own[i.name], _kind(i)).name for i in inputs}
    else:
        raise Unsupported(f"the graph of {dotted(type(fitted))} needs one input, or inputs named like the columns")
    names = inline(model, fed, graph)
    found = {o.name: _in_real(o, names[o.name], graph) for o in model.graph.output}
    if len(found) > 1 or found.keys() <= set(PLACES):
        return found
    value = next(iter(found.values()))
    if hasattr(fitted, "transform"):
        return value
    return {"probabilities" if hasattr(fitted, "predict_proba") else "prediction": value}


def _kind(value: Any) -> str:
    from onnx import TensorProto

    name = str(TensorProto.DataType.Name(value.type.tensor_type.elem_type)).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def _in_real(output: Any, name: str, graph: GraphBuilder) -> Value:
    """Returns an output as a value of the graph: floats in the graph's own type, the width from its declared shape."""
    dims = output.type.tensor_type.shape.dim
    width = dims[1].dim_value if len(dims) == 2 else 0 if len(dims) == 1 else -1
    if width < 0 or (len(dims) == 2 and not width):
        raise Unsupported(f"the output {output.name!r} of an author's graph must have a shape, [N] or [N, columns]")
    value = Value(name, _kind(output), width)
    return graph.cast(value, graph.real) if value.dtype in ("float32", "float64") else value


def advice(name: str) -> str:
    """Returns advice for the author of a class or function of that name."""
    return (
        "do this step before the model, or define its graph: a method to_onnx_graph on its class, or "
        f'STEPS = {{"{name}": function}} in {REGISTRY} in a --code folder (docs/user-code.md)'
    )
