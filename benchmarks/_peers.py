"""Other ways to run a model without its framework, for comparison: plain skl2onnx, treelite's interpreter, tl2cgen's C.

Each is tried as its documentation says; one that is not installed, or does not read the model, gives None.
`pip install treelite tl2cgen` (and gcc, for the second) to have them all.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Run = Callable[[Any], object]
MOST_NODES_COMPILED = 30_000
"""gcc takes minutes for more."""


def skl2onnx_run(model: Any, x: Array) -> Run | None:
    """ONNX Runtime, one thread, on the graph of `skl2onnx.to_onnx` with its probabilities as a matrix."""
    import onnxruntime as ort

    try:
        from skl2onnx import to_onnx

        graph = to_onnx(model, x[:1].astype(np.float32), options={id(model): {"zipmap": False}})
    except Exception:  # it raises whatever comes up where it does not know a model
        return None
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda rows: session.run(None, {name: rows})


def treelite_run(model: Any) -> Run | None:
    """treelite's own interpreter (GTIL), one thread."""
    loaded = _treelite(model)
    if loaded is None:
        return None
    import treelite

    return lambda rows: treelite.gtil.predict(loaded, rows, nthread=1)


def tl2cgen_run(model: Any, folder: Path) -> Run | None:
    """C code by tl2cgen, compiled by gcc, one thread."""
    loaded = _treelite(model)
    try:
        import tl2cgen
    except ImportError:
        return None
    if loaded is None or _nodes(loaded) > MOST_NODES_COMPILED:
        return None
    library = Path(tempfile.mkdtemp(dir=folder)) / "model.so"
    tl2cgen.export_lib(loaded, toolchain="gcc", libpath=str(library), params={"parallel_comp": 2})
    predictor = tl2cgen.Predictor(str(library), nthread=1)
    return lambda rows: predictor.predict(tl2cgen.DMatrix(rows))


def _treelite(model: Any) -> Any:
    """The model as treelite reads it; None where it does not, or is not installed."""
    try:
        import treelite
    except ImportError:
        return None
    kind = type(model).__module__.split(".")[0]
    try:
        if kind == "xgboost":
            return treelite.frontend.from_xgboost(model.get_booster())
        if kind == "lightgbm":
            return treelite.frontend.from_lightgbm(model.booster_)
        return treelite.sklearn.import_model(model)
    except Exception:  # it raises whatever comes up where it does not know a model
        return None


def _nodes(loaded: Any) -> int:
    return sum(len(tree["nodes"]) for tree in json.loads(loaded.dump_as_json(pretty_print=False))["trees"])
