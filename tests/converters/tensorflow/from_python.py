"""A Python program, like a notebook, that builds the bundle of its own model; run by an interpreter that has Keras.

`python from_python.py FOLDER SITE`. SITE: where mlpack's own packages are. Prints what it got as JSON.
"""

from __future__ import annotations

import json
import os
import site
import sys
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")
import keras
import numpy as np
from keras import layers as L


def built(folder: Path) -> dict[str, Any]:
    """What a user gets for a model of the program, and for a class of it."""
    import mlpack_toolkit
    from mlpack_toolkit.packager.errors import UsageError

    class Own(L.Layer):
        def call(self, x: Any) -> Any:
            return x

    net = keras.Sequential([L.Input((4,), name="x"), L.Dense(3), L.Dropout(0.5)])
    rows = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    made = mlpack_toolkit.build(net, rows, output=folder / "from python", target="docker", name="dense")
    found: dict[str, Any] = {"bundle": str(made.bundle), "inputs": {t.name: t.shape for t in made.signature.inputs}}
    try:
        mlpack_toolkit.build(keras.Sequential([L.Input((4,)), Own()]), rows, output=folder / "from python")
    except UsageError as error:
        found["refused"] = str(error)
    return found


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    sys.path[:0] = [str(Path(__file__).resolve().parents[3] / "src")]
    site.addsitedir(sys.argv[2])
    print(json.dumps(built(folder)))
