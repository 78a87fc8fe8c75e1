"""Whole models of Keras and TensorFlow with random weights; run by an interpreter that has both, and keras_hub.

`python tensorflow_systems.py list`, `python tensorflow_systems.py make KEY FOLDER`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")
Made = tuple[str, str, str, int]
"""The model's file or folder, the example's file, further options, and the number of parameters."""


def mobilenet(folder: Path) -> Made:
    import keras

    return _pictures(folder, keras.applications.MobileNetV3Small(weights=None, input_shape=(96, 96, 3)), 96)


def efficientnet(folder: Path) -> Made:
    import keras

    model = keras.applications.EfficientNetV2B0(weights=None, input_shape=(96, 96, 3))
    name = model.inputs[0]._keras_history.operation.name
    files = _pictures(folder, model, 96)
    return *files[:2], f"-O tensorflow.dynamic={name}.0:batch[1..]", files[3]  # ONNX Runtime stops on no picture


def resnet(folder: Path) -> Made:
    import keras

    return _pictures(folder, keras.applications.ResNet50V2(weights=None, input_shape=(64, 64, 3)), 64)


def _pictures(folder: Path, model: Any, size: int) -> Made:
    import numpy as np

    model.save(folder / "model.keras")
    np.save(folder / "example.npy", np.random.default_rng(0).uniform(0, 255, (3, size, size, 3)).astype("float32"))
    return "model.keras", "example.npy", "", model.count_params()


def bert(folder: Path) -> Made:
    """An encoder of keras_hub's layers, as its BERT has them."""
    import keras
    import keras_hub
    import numpy as np
    from keras import layers as L

    tokens, mask = L.Input((None,), dtype="int32", name="tokens"), L.Input((None,), dtype="int32", name="mask")
    x = keras_hub.layers.TokenAndPositionEmbedding(1000, 64, 64)(tokens)
    x = L.LayerNormalization(epsilon=1e-12)(x)
    for _ in range(2):
        x = keras_hub.layers.TransformerEncoder(128, 4, activation="gelu", layer_norm_epsilon=1e-12)(
            x, padding_mask=mask
        )
    pooled = L.Dense(64, activation="tanh")(x[:, 0, :])
    model = keras.Model({"tokens": tokens, "mask": mask}, {"sequence": x, "pooled": pooled})
    model.save(folder / "model.keras")
    rng = np.random.default_rng(0)
    np.savez(
        folder / "example.npz", tokens=rng.integers(1, 1000, (3, 9)).astype("int32"), mask=np.tri(3, 9, 6, "int32")
    )
    option = "-O tensorflow.dynamic=tokens.1:length[1..64],mask.1:length[1..64]"
    return "model.keras", "example.npz", option, model.count_params()


def wide_and_deep(folder: Path) -> Made:
    """Columns of a table, two of them texts, one with missing cells."""
    import keras
    from keras import layers as L

    names = {"city": "string", "kind": "string", "year": "int64", "size": "float32", "rooms": "float32"}
    inputs = {name: L.Input((1,), dtype=dtype, name=name) for name, dtype in names.items()}
    city = L.StringLookup(vocabulary=[f"city {i}" for i in range(50)])(inputs["city"])
    kind = L.StringLookup(vocabulary=["flat", "house"], output_mode="one_hot")(inputs["kind"])
    year = L.Discretization([1950.0, 1980.0, 2000.0, 2015.0], output_mode="one_hot")(inputs["year"])
    numbers = L.Normalization(mean=[80.0, 3.0], variance=[900.0, 2.0])(
        L.Concatenate()([inputs["size"], inputs["rooms"]])
    )
    deep = L.Concatenate()([L.Flatten()(L.Embedding(51, 8)(city)), kind, numbers])
    deep = L.Dense(32, activation="relu")(L.Dense(64, activation="relu")(deep))
    price = L.Dense(1, name="price")(L.Concatenate()([kind, year, deep]))
    model = keras.Model(inputs, {"price": price})
    model.save(folder / "model.keras")
    lines = ["city,kind,year,size,rooms"]
    lines += [
        f"{'' if i % 7 == 0 else f'city {i}'},{('flat', 'house')[i % 2]},{1930 + 3 * i},{30 + 4 * i},{1 + i % 5}"
        for i in range(40)
    ]
    (folder / "example.csv").write_text("\n".join(lines) + "\n")
    return "model.keras", "example.csv", "", model.count_params()


def forecaster(folder: Path) -> Made:
    import keras
    import numpy as np
    from keras import layers as L

    layers = [
        L.Input((None, 6), name="past"),
        L.Masking(),
        L.LSTM(64, return_sequences=True),
        L.Dropout(0.2),
        L.LSTM(32),
    ]
    model = keras.Sequential([*layers, L.Dense(24), L.Reshape((12, 2))])
    model.save(folder / "model.keras")
    np.savez(folder / "example.npz", past=np.random.default_rng(0).normal(size=(4, 30, 6)).astype("float32"))
    return "model.keras", "example.npz", "-O tensorflow.dynamic=past.1:steps[1..200]", model.count_params()


def transform(folder: Path) -> Made:
    """A graph as TFX's Transform exports it: numbers scaled, buckets, a vocabulary in a file, before a dense model."""
    import numpy as np
    import tensorflow as tf

    path = folder / "vocabulary.txt"
    path.write_text("\n".join(f"word {i}" for i in range(20)) + "\n")

    class Transform(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
            words = tf.lookup.TextFileInitializer(str(path), tf.string, line, tf.int64, number)
            self.table = tf.lookup.StaticHashTable(words, -1)
            self.weights = tf.Variable(tf.random.stateless_normal([27, 4], [1, 2]))

        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 1], tf.float32, "age"),
                tf.TensorSpec([None, 1], tf.int64, "count"),
                tf.TensorSpec([None, 1], tf.string, "word"),
            ]
        )
        def serve(self, age: Any, count: Any, word: Any) -> dict[str, Any]:
            scaled = (tf.where(tf.math.is_nan(age), 0.0, age) - 40.0) / 12.0
            buckets = tf.raw_ops.Bucketize(input=age, boundaries=[18.0, 30.0, 45.0, 65.0])
            known = tf.one_hot(self.table.lookup(word)[:, 0], 20)
            parts = [scaled, tf.one_hot(buckets[:, 0], 5), known, tf.cast(count // 7, tf.float32)]
            return {"scores": tf.nn.softmax(tf.concat(parts, 1) @ self.weights), "bucket": buckets}

    module = Transform()
    tf.saved_model.save(module, str(folder / "served" / "1700000000"), signatures=module.serve)
    words = np.array([f"word {i}" for i in range(5)] + ["other"])[:, None]
    ages = np.array([[17], [18], [30], [44.5], [70], [np.nan]], "float32")
    np.savez(folder / "example.npz", age=ages, count=np.arange(6)[:, None] - 3, word=words)
    return "served", "example.npz", "", 108


def forest(folder: Path) -> Made:
    """Decision forests of TensorFlow, where they are installed."""
    import numpy as np
    from tensorflow_decision_forests import keras as forests

    model = forests.RandomForestModel(num_trees=3)
    model.fit(np.random.default_rng(0).normal(size=(50, 3)), np.arange(50) % 2)
    model.save(str(folder / "forest"))
    np.savez(folder / "example.npz", x=np.zeros((3, 3), "float32"))
    return "forest", "example.npz", "", 0


SYSTEMS: dict[str, tuple[str, Callable[[Path], Made]]] = {
    "mobilenet": ("MobileNetV3 small, 96 x 96 (keras.applications)", mobilenet),
    "efficientnet": ("EfficientNetV2-B0, 96 x 96 (keras.applications)", efficientnet),
    "resnet": ("ResNet-50 V2, 64 x 64 (keras.applications)", resnet),
    "bert": ("BERT encoder, 2 layers of keras_hub, free length", bert),
    "wide_and_deep": ("wide and deep over a data frame, texts with missing cells", wide_and_deep),
    "forecaster": ("forecaster, 2 LSTMs, free length", forecaster),
    "transform": ("transform graph as TFX exports it: vocabulary file, buckets (SavedModel)", transform),
    "forest": ("random forest of TF-DF", forest),
}


def main() -> None:
    """Runs the command."""
    if sys.argv[1] == "list":
        print(json.dumps({key: name for key, (name, _) in SYSTEMS.items()}))
        return
    model, example, options, parameters = SYSTEMS[sys.argv[2]][1](Path(sys.argv[3]))
    print(json.dumps({"model": model, "example": example, "options": options, "parameters": parameters}))


if __name__ == "__main__":
    main()
