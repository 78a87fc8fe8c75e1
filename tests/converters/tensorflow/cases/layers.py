"""Keras's layers: dense, convolutions, recurrent ones, attention, and those that do nothing at inference."""

from __future__ import annotations

import keras
from keras import layers as L

from .case import case, normal, odd, whole


def chain(*parts: object) -> keras.Model:
    """A model of one layer after the other."""
    return keras.Sequential(list(parts))


@case({"x": normal(4, 8)}, {"x": odd(3, 8)})
def constant_column() -> keras.Model:
    norm = L.Normalization()
    data = normal(50, 8) * 3 + 2
    data[:, 2] = 7
    norm.adapt(data)
    return chain(L.Input((8,), name="x"), norm, L.Dense(3, activation="softmax"))


@case({"x": normal(3, 16, 16, 3)}, {"x": 100 * normal(2, 16, 16, 3)})
def inert_layers() -> keras.Model:
    noise = [
        L.RandomFlip(),
        L.RandomRotation(0.1),
        L.RandomZoom(0.2),
        L.RandomTranslation(0.1, 0.1),
        L.RandomContrast(0.2),
    ]
    more = [
        L.GaussianNoise(0.1),
        L.Dropout(0.5),
        L.SpatialDropout2D(0.5),
        L.GaussianDropout(0.2),
        L.ActivityRegularization(),
    ]
    return chain(L.Input((16, 16, 3), name="x"), *noise, *more, L.Conv2D(4, 3), L.GlobalMaxPooling2D())


@case({"x": normal(3, 9, 11, 3)}, {"x": odd(1, 9, 11, 3)})
def asymmetric_padding() -> keras.Model:
    first = L.Conv2D(4, (3, 2), strides=2, padding="same")
    return chain(L.Input((9, 11, 3), name="x"), first, L.AveragePooling2D(2, padding="same"), L.DepthwiseConv2D(3))


@case({"x": normal(3, 7, 5)}, {"x": normal(2, 12, 5)})
def causal_convolution() -> keras.Model:
    return chain(
        L.Input((None, 5), name="x"), L.Conv1D(6, 3, padding="causal", dilation_rate=2), L.LayerNormalization()
    )


@case({"x": normal(2, 5, 6, 3)})
def transposed_and_separable() -> keras.Model:
    return chain(
        L.Input((5, 6, 3), name="x"), L.Conv2DTranspose(4, 3, strides=2, padding="same"), L.SeparableConv2D(5, 3)
    )


@case({"x": normal(2, 4, 6, 5, 2)})
def three_dimensions() -> keras.Model:
    return chain(
        L.Input((4, 6, 5, 2), name="x"), L.Conv3D(3, 2), L.MaxPooling3D(2, padding="same"), L.GlobalAveragePooling3D()
    )


@case({"x": normal(3, 8, 10, 2)}, {"x": odd(2, 8, 10, 2)})
def pooling() -> keras.Model:
    x = L.Input((8, 10, 2), name="x")
    return keras.Model(
        x, [L.MaxPooling2D(3, 2, "same")(x), L.AveragePooling2D(3, 2, "same")(x), L.GlobalMaxPooling2D()(x)]
    )


@case({"x": normal(4, 6)}, {"x": odd(4, 6)}, {"x": 40 * normal(4, 6)})
def activations() -> keras.Model:
    x = L.Input((6,), name="x")
    kinds = [
        "relu",
        "relu6",
        "elu",
        "selu",
        "softplus",
        "softsign",
        "silu",
        "gelu",
        "hard_sigmoid",
        "hard_silu",
        "mish",
        "leaky_relu",
        "log_softmax",
        "celu",
    ]
    return keras.Model(x, [L.Activation(kind)(x) for kind in kinds])


@case({"x": normal(3, 6, 4)}, {"x": normal(5, 9, 4)})
def masked_lstm() -> keras.Model:
    return chain(
        L.Input((None, 4), name="x"), L.Masking(0.0), L.Bidirectional(L.LSTM(5, return_sequences=True)), L.LSTM(3)
    )


@case({"x": normal(3, 6, 4)}, {"x": normal(1, 2, 4)})
def gru_backwards() -> keras.Model:
    return chain(L.Input((None, 4), name="x"), L.GRU(5, reset_after=False, go_backwards=True, return_sequences=True))


@case({"x": normal(3, 6, 4)})
def lstm_hard_sigmoid() -> keras.Model:
    return chain(L.Input((6, 4), name="x"), L.LSTM(5, recurrent_activation="hard_sigmoid"), L.Dense(2))


@case({"x": normal(3, 6, 4)}, {"x": normal(2, 3, 4)})
def recurrent_with_states() -> keras.Model:
    x = L.Input((None, 4), name="x")
    y, h, c = L.LSTM(5, return_state=True, return_sequences=True)(x)
    z, s = L.GRU(3, return_state=True)(y)
    return keras.Model(x, {"y": y, "h": h, "c": c, "z": z, "s": s, "plain": L.SimpleRNN(4)(x)})


@case({"x": whole(0, 20, 3, 7, dtype="int32")}, {"x": whole(0, 20, 2, 4, dtype="int32")})
def embedding_with_its_mask() -> keras.Model:
    return chain(
        L.Input((None,), dtype="int32", name="x"), L.Embedding(20, 6, mask_zero=True), L.Bidirectional(L.GRU(4))
    )


@case({"x": normal(2, 5, 8)}, {"x": normal(3, 9, 8)})
def causal_attention() -> keras.Model:
    x = L.Input((None, 8), name="x")
    return keras.Model(x, L.LayerNormalization()(x + L.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)))


@case({"q": normal(2, 5, 8), "k": normal(2, 6, 8), "m": whole(0, 2, 2, 5, 6, dtype="bool")})
def attention_with_a_mask() -> keras.Model:
    q, k = L.Input((5, 8), name="q"), L.Input((6, 8), name="k")
    m = L.Input((5, 6), dtype="bool", name="m")
    inputs = {"q": q, "k": k, "m": m}
    return keras.Model(inputs, L.MultiHeadAttention(2, 4)(q, k, attention_mask=m))


@case({"x": normal(2, 6, 8, 6)})
def normalisations() -> keras.Model:
    x = L.Input((6, 8, 6), name="x")
    kinds = (
        L.BatchNormalization(),
        L.GroupNormalization(3),
        L.UnitNormalization(),
        L.RMSNormalization(),
        L.LayerNormalization(axis=[1, 2]),
    )
    return keras.Model(x, [kind(x) for kind in kinds])


@case({"x": normal(3, 6, 7, 3)}, {"x": odd(2, 6, 7, 3)})
def resized() -> keras.Model:
    x = L.Input((6, 7, 3), name="x")
    kinds = [L.UpSampling2D((2, 3), interpolation=how) for how in ("nearest", "bilinear", "bicubic")]
    return keras.Model(x, [kind(x) for kind in kinds])


@case({"x": normal(3, 6, 7, 3)}, {"x": odd(2, 6, 7, 3)})
def resized_to_areas() -> keras.Model:
    x = L.Input((6, 7, 3), name="x")
    return keras.Model(x, [L.Resizing(h, w, interpolation="area")(x) for h, w in ((3, 7), (4, 5), (9, 2), (13, 14))])


@case({"x": whole(0, 256, 3, 9, 7, 3, dtype="uint8")})
def pictures_of_bytes() -> keras.Model:
    x = L.Input((9, 7, 3), dtype="uint8", name="x")
    y = L.Rescaling(1 / 127.5, offset=-1)(x)
    return keras.Model(x, [y, L.Resizing(5, 5)(y), L.CenterCrop(4, 4)(y), L.Resizing(4, 9, interpolation="nearest")(x)])


@case({"x": normal(3, 9, 9, 3), "y": normal(3, 9, 9, 3)})
def padding_and_cropping() -> keras.Model:
    x, y = L.Input((9, 9, 3), name="x"), L.Input((9, 9, 3), name="y")
    parts = L.ZeroPadding2D(((1, 0), (2, 3)))(x), L.Cropping2D(((1, 2), (0, 3)))(y), L.Permute((3, 1, 2))(x)
    return keras.Model({"x": x, "y": y}, [*parts, L.Concatenate()([x, y]), L.Dot(3)([x, y]), L.Maximum()([x, y])])


@case({"x": normal(3, 6, 4)}, refused="remembers.*stateful=False|draws random|remembers")
def stateful_lstm() -> keras.Model:
    return chain(L.Input((6, 4), batch_size=3, name="x"), L.LSTM(5, stateful=True))


@case({"x": normal(3, 6)})
def wide_numbers() -> keras.Model:
    x = L.Input((6,), dtype="float64", name="x")
    return keras.Model(x, L.Dense(3, dtype="float64", activation="tanh")(x))
