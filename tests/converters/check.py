"""A converter held against its original, without a bundle: what the tests of converters share."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np

from mlpack_toolkit.converters import for_object
from mlpack_toolkit.converters._worker.model_input import original_input
from mlpack_toolkit.converters._worker.signature import signature_of
from mlpack_toolkit.converters.spec import Signature, Table
from mlpack_toolkit.runtimes.engine.engine import graph_feeds
from tests.artifacts import saved

RTOL = {"float32": 1e-5, "float64": 1e-9}
ATOL = {"float32": 1e-6, "float64": 1e-10}


def table_of(x: Any) -> Table:
    """The columns of a data frame, or `X` for a matrix, or `text` for a list of texts."""
    if isinstance(x, np.ndarray):
        return {"X": x}
    if isinstance(x, list):
        return {"text": np.array(x, object)}
    return {str(name): _column(x[name]) for name in x}


def _column(series: Any) -> np.ndarray[Any, Any]:
    if series.dtype.kind in "fiub":
        return np.asarray(series)
    if series.dtype.kind == "M":
        return np.asarray(series.astype("int64"))
    values = series.astype(object)
    if all(isinstance(v, (int, np.integer)) for v in values):
        return np.asarray(values, np.int64)
    return np.array([None if v is None or v != v else v for v in values], object)


def converted(model: Any, x: Any, real: str) -> tuple[bytes, dict[str, Any]]:
    """The graph in the type `real`, and what it is fed with for the rows of `x`."""
    _, _, graph, feeds = _converted(model, x, real)
    return graph, feeds


def answers(model: Any, x: Any, real: str) -> tuple[Table, Table]:
    """What the original answers, and what the graph in the type `real` does."""
    import onnxruntime as ort

    want, signature, graph, feeds = _converted(model, x, real)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    got = session.run([t.name for t in signature.outputs], feeds)
    return want, dict(zip((t.name for t in signature.outputs), got, strict=True))


def _converted(model: Any, x: Any, real: str) -> tuple[Table, Signature, bytes, dict[str, Any]]:
    import onnx

    converter = for_object(model)
    assert converter is not None
    table = table_of(x)
    description = converter.probing.adapt(model, replace(converter.original.describe(model), example=table))
    dtypes = {} if isinstance(x, (list, np.ndarray)) else {str(n): str(x[n].dtype) for n in x}
    first = signature_of(description, table, {}, dtypes)
    want = converter.original.predict(model, original_input(description, first.inputs, table))
    signature = signature_of(description, table, want, dtypes).in_precision(real)
    graph = saved(lambda out: converter.export.convert(model, description, signature, real, out))
    read = {i.name for i in onnx.load_model_from_string(graph).graph.input}
    return want, signature, graph, {k: v for k, v in graph_feeds(signature, table).items() if k in read}


def assert_same(model: Any, x: Any, real: str = "float64", rtol: float = 0, atol: float = 0) -> None:
    """Fails unless the graph answers like the original on every row of `x`: labels exactly, floats within the type."""
    want, got = answers(model, x, real)
    for name, expected in want.items():
        actual = got[name]
        assert actual.shape == expected.shape, f"{name}: shape {actual.shape}, expected {expected.shape}"
        if expected.dtype.kind != "f" or name == "label":
            np.testing.assert_array_equal(actual, expected, err_msg=name)
        else:
            limits = {"rtol": rtol or RTOL[real], "atol": atol or ATOL[real]}
            np.testing.assert_allclose(actual, expected, equal_nan=True, err_msg=name, **limits)
