"""Graphs on a batch of 0 rows, which most originals refuse: what comes out has 0 rows and the right width and type."""

from __future__ import annotations

from typing import Any

from mlpack_toolkit.converters import for_object
from mlpack_toolkit.converters._worker.model_input import original_input
from mlpack_toolkit.converters._worker.signature import signature_of
from mlpack_toolkit.runtimes.engine.engine import graph_feeds
from tests.artifacts import saved
from tests.converters.check import table_of


def assert_empty(model: Any, x: Any, real: str = "float64") -> None:
    """Fails unless the graph gives 0 rows of every output for 0 rows of `x`."""
    import onnxruntime as ort

    converter = for_object(model)
    assert converter is not None
    description = converter.original.describe(model)
    table = table_of(x)
    dtypes = {str(n): str(x[n].dtype) for n in x} if hasattr(x, "columns") else {}
    first = signature_of(description, table, {}, dtypes)
    want = converter.original.predict(model, original_input(description, first.inputs, table))
    signature = signature_of(description, table, want, dtypes).in_precision(real)
    graph = saved(lambda out: converter.export.convert(model, description, signature, real, out))
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    read = {i.name for i in session.get_inputs()}
    feeds = graph_feeds(signature, {name: column[:0] for name, column in table.items()})
    got = session.run(list(want), {k: v for k, v in feeds.items() if k in read})
    for (name, full), none in zip(want.items(), got, strict=True):
        assert none.shape == (0, *full.shape[1:]), f"{name}: {none.shape}"
