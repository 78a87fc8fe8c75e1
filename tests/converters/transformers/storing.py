"""Writes the graph of a folder as if it were large, opens it beside the folder's own files, and prints what it holds.

Runs in an interpreter that has transformers and ONNX Runtime: `python storing.py FOLDER OUT`.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "src"))
import numpy as np
import onnx
import onnxruntime

from mlpack_toolkit.converters.spec import Signature, TensorSpec
from mlpack_toolkit.converters.torch import _shipping
from mlpack_toolkit.converters.transformers import CONVERTER
from mlpack_toolkit.converters.transformers.model import example, load


def main(folder: Path, out: Path) -> None:
    """Prints the locations of the tensors outside of the graph, and the largest error."""
    _shipping.LARGE = 1000
    model = load(folder / "config.json", {})
    table = CONVERTER.probing.named(model, example(model))
    about = CONVERTER.probing.adapt(model, replace(CONVERTER.original.describe(model), example=table))
    want = model.outputs(table)
    outputs = tuple(TensorSpec(name, value.dtype.name, about.outputs[name]) for name, value in want.items())
    signature = Signature("graph", about.inputs, outputs, (), about.ranges)
    CONVERTER.export.convert(model, about, signature, "float32", out / "model.onnx")
    shutil.copytree(folder, out / "source")
    onnx.checker.check_model(str(out / "model.onnx"))
    graph = onnx.load(str(out / "model.onnx"), load_external_data=False).graph
    places = [{e.key: e.value for e in tensor.external_data} for tensor in graph.initializer if tensor.external_data]
    session = onnxruntime.InferenceSession(str(out / "model.onnx"))
    got = session.run(list(want), {each.name: table[each.name] for each in session.get_inputs()})
    error = max(float(np.abs(one - other).max()) for one, other in zip(got, want.values()))
    print(json.dumps({"locations": [each["location"] for each in places], "error": error}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
