"""Makes tiny models in every form that Keras and TensorFlow save, with their examples; run by an interpreter that has
both.

`python models.py FOLDER`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")
import keras
import numpy as np
import tensorflow as tf
from keras import layers as L

CODE = '''
import keras


@keras.saving.register_keras_serializable("mine")
class Doubled(keras.layers.Layer):
    """Twice its input."""

    def call(self, x):
        return x * 2


@keras.saving.register_keras_serializable("mine")
def halved(x):
    return x / 2


class Plain(keras.layers.Layer):
    """A layer that nobody registered."""

    def call(self, x):
        return x - 1
'''
WIDE = """color,kind,weight
red,0,1.5
,1,2.5
violet,2,
blue,3,3
green,4,4
red,0,5
"""


def pictures() -> keras.Model:
    """A small network for pictures of 8 x 8 grey pixels, with layers that do nothing at inference."""
    inert = [L.RandomFlip(), L.GaussianNoise(0.1)]
    body = [L.Conv2D(4, 3, activation="relu"), L.BatchNormalization(), L.MaxPooling2D(), L.Flatten(), L.Dropout(0.3)]
    return keras.Sequential([L.Input((8, 8, 1), name="image"), *inert, *body, L.Dense(3, activation="softmax")])


def wide() -> keras.Model:
    """A price by the columns of a table, one of them text."""
    color, weight = L.Input((1,), dtype="string", name="color"), L.Input((1,), name="weight")
    kind = L.Input((1,), dtype="int64", name="kind")
    parts = [
        L.StringLookup(vocabulary=["red", "green", "blue"], output_mode="one_hot")(color),
        L.Normalization(mean=[3.0], variance=[4.0])(weight),
        L.Flatten()(L.Embedding(5, 2)(kind)),
    ]
    price = L.Dense(1, name="price")(L.Concatenate()(parts))
    return keras.Model({"color": color, "weight": weight, "kind": kind}, {"price": price})


def tagger() -> keras.Model:
    """A tag for each word of a sentence, and a mask of the same length."""
    tokens, mask = L.Input((None,), dtype="int32", name="tokens"), L.Input((None,), dtype="int32", name="mask")
    words = L.Embedding(30, 8)(tokens)
    states = L.Bidirectional(L.LSTM(6, return_sequences=True))(words, mask=keras.ops.cast(mask, "bool"))
    return keras.Model([tokens, mask], [L.Dense(4, name="tags")(states), L.GlobalMaxPooling1D()(states)])


class Scaler(tf.Module):
    """Two signatures; the first reads a vocabulary from a file beside it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        path = folder / "words.txt"
        path.write_text("red\ngreen\n")
        words = tf.lookup.TextFileInitializer(
            str(path), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        )
        self.table = tf.lookup.StaticHashTable(words, -1)
        self.by = tf.Variable([2.0, 3.0])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "word"), tf.TensorSpec([None, 2], tf.float32, "x")])
    def serve(self, word: tf.Tensor, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"number": self.table.lookup(word), "scaled": x * self.by}

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def sums(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"sum": tf.reduce_sum(x * self.by, 1)}

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def noisy(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x + tf.random.normal([2])}


class Reader(tf.Module):
    """A signature that reads a file."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, "path")])
    def serve(self, path: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"content": tf.io.read_file(path)}


def make(folder: Path) -> None:
    """Writes the models, their code and their examples."""
    keras.utils.set_random_seed(0)
    numbers = np.random.default_rng(0)
    (folder / "code").mkdir()
    (folder / "code" / "own_layers.py").write_text(CODE)
    sys.path.insert(0, str(folder / "code"))
    import own_layers

    net = pictures()
    net.compile("adam", "mse", metrics=["mse"])
    net.save(folder / "pictures.keras")
    net.save(folder / "pictures.h5")
    np.save(folder / "pictures.npy", numbers.normal(size=(6, 8, 8, 1)).astype("float32"))
    wide().save(folder / "wide.keras")
    (folder / "wide.csv").write_text(WIDE)
    tagger().save(folder / "tagger.keras")
    words = numbers.integers(0, 30, (3, 7)).astype("int32")
    np.savez(folder / "words.npz", tokens=words, mask=np.tri(3, 7, 4, dtype="int32"))

    own = [L.Input((3,), name="x"), own_layers.Doubled(), L.Dense(2, activation=own_layers.halved)]
    keras.Sequential([*own, own_layers.Plain()]).save(folder / "own.keras")
    keras.Sequential([L.Input((3,), name="x"), L.Lambda(lambda x: x + 1)]).save(folder / "lambda.keras")
    keras.Sequential([L.Input((3,), name="x"), L.Lambda(lambda x: x + 1)]).save(folder / "lambda.h5")
    keras.Sequential([L.Input((2,), batch_size=3, name="x"), L.Reshape((2, 1)), L.LSTM(2, stateful=True)]).save(
        folder / "stateful.keras"
    )
    np.savez(folder / "x.npz", x=numbers.normal(size=(5, 3)).astype("float32"))
    np.savez(folder / "pairs.npz", x=numbers.normal(size=(3, 2)).astype("float32"))
    np.savez(folder / "serve.npz", word=np.array(["red", "blue", "green"]), x=np.ones((3, 2), "float32"))
    scaler = Scaler(folder)
    signatures = {"serving_default": scaler.serve, "sums": scaler.sums, "noisy": scaler.noisy}
    tf.saved_model.save(scaler, str(folder / "served" / "3"), signatures=signatures)
    (folder / "served" / "1").mkdir()
    reader = Reader()
    tf.saved_model.save(reader, str(folder / "reader"), signatures=reader.serve)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
