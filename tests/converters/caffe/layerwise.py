"""Every blob of a net, from OpenCV and from our graph in ONNX Runtime."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime as ort

from mlpack_toolkit.converters.caffe import graph_of, load
from mlpack_toolkit.converters.caffe.original import CaffeModel
from tests.converters.caffe.writer import Writer

Array = np.ndarray[Any, Any]
INERT = ("Split", "Silence")


def opened(net: Writer, folder: Path, **given: Any) -> CaffeModel:
    """The model of a net that is written first."""
    return load(net.write(folder), given)


def in_graph(model: CaffeModel, x: Mapping[str, Array]) -> dict[str, Array]:
    """By `LAYER.PLACE`, each top in the graph."""
    from mlpack_toolkit.converters.caffe import _inputs

    graph, built = graph_of(model, _inputs(model))
    names = {}
    for key, value in built.every.items():
        names[key] = graph.fresh("top")
        graph.output(names[key], value.name, "float32", tuple(f"d{at}" for at in range(len(value.shape))))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.onnx"
        graph.write(path)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        got = session.run(
            list(names.values()), {each.name: x[each.name.removeprefix("input_")] for each in session.get_inputs()}
        )
    for key, values in zip(names, got, strict=True):
        sizes = built.every[key].shape
        assert all(size in (None, n) for size, n in zip(sizes, values.shape, strict=True)), (key, sizes, values.shape)
    return dict(zip(names, got, strict=True))


def errors(model: CaffeModel, x: Mapping[str, Array]) -> dict[str, float]:
    """By `LAYER.PLACE`, the largest difference relative to the largest number of the blob (at least 1)."""
    layers = [layer for layer in model.net.layers if layer.type not in INERT]
    want = dict(zip((layer.name for layer in layers), model.forward(dict(x), [layer.name for layer in layers])))
    found = {}
    for key, got in in_graph(model, x).items():
        layer, _, place = key.rpartition(".")
        if layer in want:
            found[key] = distance(got, want[layer][int(place)])
    return found


def distance(got: Array, want: Array) -> float:
    """The largest difference; infinite where shapes differ (of trailing axes of size 1 OpenCV has more or fewer)."""
    if got.size != want.size or [n for n in got.shape if n != 1] != [n for n in want.shape if n != 1]:
        return float("inf")
    one, other = got.ravel().astype(np.float64), want.ravel().astype(np.float64)
    if not one.size:
        return 0.0
    return float(np.abs(one - other).max() / max(1.0, np.abs(other).max()))
