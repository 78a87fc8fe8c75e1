"""TensorFlow's own operators, in modules with a signature and in Keras's functional models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from .case import case, normal, odd, texts, whole

Signature = Callable[..., Any]


class Module(tf.Module):
    """A function with a signature, as `tf.saved_model.save` takes it."""

    def __init__(self, function: Signature, **specs: tf.TensorSpec) -> None:
        super().__init__()
        self.count = tf.Variable(0.0)
        named = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in specs.items()]
        self.serve = tf.function(lambda *args: function(self, *args), input_signature=named)


def floats(*shape: int | None) -> tf.TensorSpec:
    return tf.TensorSpec(shape, tf.float32)


def numbers(*shape: int | None, dtype: tf.DType = tf.int64) -> tf.TensorSpec:
    return tf.TensorSpec(shape, dtype)


@case({"x": whole(-9, 10, 4, 3), "y": whole(1, 5, 4, 3)}, {"x": whole(-9, 10, 2, 3), "y": whole(-5, 0, 2, 3)})
def floor_division() -> tf.Module:
    return Module(
        lambda m, x, y: {"div": x // y, "mod": x % y, "truncated": tf.truncatediv(x, y), "rest": tf.truncatemod(x, y)},
        x=numbers(None, 3),
        y=numbers(None, 3),
    )


@case({"x": whole(-9, 10, 4, 3, dtype="int32")})
def floor_division_by_a_constant() -> tf.Module:
    return Module(lambda m, x: {"a": x // 3, "b": x // -4, "c": x % 7, "d": x / 3}, x=numbers(None, 3, dtype=tf.int32))


@case({"x": normal(4, 3), "y": normal(4, 3)})
def floor_division_of_floats() -> tf.Module:
    return Module(lambda m, x, y: {"div": x // y, "mod": tf.math.floormod(x, y)}, x=floats(None, 3), y=floats(None, 3))


@case(
    {"x": normal(5, 3), "ids": whole(0, 4, 5)},
    {"x": normal(3, 3), "ids": whole(2, 3, 3)},
    {"x": normal(2, 3), "ids": whole(-2, 2, 2)},
)
def unsorted_segments() -> tf.Module:
    def answer(m: Any, x: tf.Tensor, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        joins = (tf.math.unsorted_segment_max, tf.math.unsorted_segment_min, tf.math.unsorted_segment_sum)
        return {f"o{i}": join(x, ids, 4) for i, join in enumerate((*joins, tf.math.unsorted_segment_prod))}

    return Module(answer, x=floats(None, 3), ids=numbers(None))


@case({"x": whole(-9, 9, 2, 3), "ids": whole(0, 4, 2, 3)})
def segments_of_whole_numbers() -> tf.Module:
    def answer(m: Any, x: tf.Tensor, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"max": tf.math.unsorted_segment_max(x, ids, 5), "sum": tf.math.unsorted_segment_sum(x, ids, 5)}

    return Module(answer, x=numbers(None, 3), ids=numbers(None, 3))


@case({"x": normal(3, 5)}, {"x": 10 * normal(3, 5)})
def loop() -> tf.Module:
    def answer(m: Any, x: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tf.while_loop(lambda y: tf.reduce_max(tf.abs(y)) > 1, lambda y: (y / 2,), (x,))
        return {"y": found[0]}

    return Module(answer, x=floats(3, 5))


@case({"x": normal(3, 5)}, {"x": -normal(3, 5)})
def branch() -> tf.Module:
    return Module(lambda m, x: {"y": tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2, lambda: x - 1)}, x=floats(None, 5))


@case({"x": normal(3, 7)}, {"x": odd(2, 7)})
def rounding_and_casting() -> tf.Module:
    def answer(m: Any, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "r": tf.round(x * 3 / 2),
            "f": tf.floor(x),
            "s": tf.sign(x),
            "c": tf.math.ceil(x),
            "q": tf.math.rsqrt(tf.abs(x)),
        }

    return Module(answer, x=floats(None, 7))


@case({"x": normal(3, 7)}, {"x": odd(2, 7)})
def extremes() -> tf.Module:
    def answer(m: Any, x: tf.Tensor) -> dict[str, tf.Tensor]:
        y = tf.reverse(x, [1])
        return {
            "a": tf.maximum(x, y),
            "b": tf.minimum(x, y),
            "c": tf.clip_by_value(x, -1.0, 1.0),
            "d": tf.reduce_max(x, 1),
        }

    return Module(answer, x=floats(None, 7))


@case({"x": normal(3, 7)}, {"x": normal(5, 7)})
def places_and_order() -> tf.Module:
    def answer(m: Any, x: tf.Tensor) -> dict[str, tf.Tensor]:
        top = tf.math.top_k(x, 3)
        return {
            "arg": tf.argmax(x, 1),
            "low": tf.argmin(x, 0),
            "top": top.values,
            "at": top.indices,
            "sorted": tf.sort(x),
            "sum": tf.cumsum(x, 1, exclusive=True, reverse=True),
        }

    return Module(answer, x=floats(None, 7))


@case({"x": normal(3, 7)}, {"x": normal(3, 2)})
def shapes_of_the_input() -> tf.Module:
    def answer(m: Any, x: tf.Tensor) -> dict[str, tf.Tensor]:
        n, k = tf.shape(x)[0], tf.shape(x)[1]
        return {
            "flat": tf.reshape(x, [n * k]),
            "tiled": tf.tile(x, [2, 1]),
            "eye": tf.eye(k),
            "range": tf.range(k),
            "every": x[:, ::2],
            "pad": tf.pad(x, [[0, 1], [2, 0]], constant_values=7.0),
        }

    return Module(answer, x=floats(None, None))


@case({"x": normal(3, 7), "i": whole(0, 7, 3, 2)})
def gathering() -> tf.Module:
    def answer(m: Any, x: tf.Tensor, i: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "a": tf.gather(x, i, axis=1, batch_dims=1),
            "b": tf.one_hot(i, 7),
            "c": tf.tensor_scatter_nd_add(x, [[0, 1], [0, 1]], [1.0, 2.0]),
            "d": tf.boolean_mask(x, x[:, 0] > 0),
        }

    return Module(answer, x=floats(None, 7), i=numbers(None, 2))


@case({"x": normal(4, 6), "y": normal(6, 5)}, rows=False)
def linear_algebra() -> tf.Module:
    def answer(m: Any, x: tf.Tensor, y: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "e": tf.einsum("ij,jk->ki", x, y),
            "o": tf.einsum("ij,kj->ik", x, tf.transpose(y)),
            "r": tf.einsum("ij,j->i", x, y[:, 0]),
            "d": tf.einsum("ij,ij->", x, x),
            "s": tf.einsum("ij->j", x),
            "n": tf.norm(x, axis=1),
            "l": tf.reduce_logsumexp(x, 1),
            "t": tf.linalg.band_part(x, 0, 1),
            "z": tf.nn.l2_normalize(y, 0),
        }

    return Module(answer, x=floats(4, 6), y=floats(6, 5))


@case({"boxes": normal(6, 4), "scores": normal(6)}, rows=False)
def suppression() -> tf.Module:
    return Module(
        lambda m, b, s: {"kept": tf.image.non_max_suppression(b, s, 3, 0.5)}, boxes=floats(6, 4), scores=floats(6)
    )


@case({"x": normal(3, 7)}, refused="draws random numbers.*RandomStandardNormal")
def random_numbers() -> tf.Module:
    return Module(lambda m, x: {"y": x + tf.random.normal(tf.shape(x))}, x=floats(None, 7))


@case({"x": normal(3, 7)}, refused="remembers.*AssignAddVariableOp")
def counts_its_calls() -> tf.Module:
    return Module(lambda m, x: {"y": x + m.count.assign_add(1.0)}, x=floats(None, 7))


@case({"x": normal(3, 7)}, refused="calls Python.*PyFunc")
def calls_python() -> tf.Module:
    return Module(
        lambda m, x: {"y": tf.ensure_shape(tf.numpy_function(lambda a: a, [x], tf.float32), [None, 7])},
        x=floats(None, 7),
    )


@case({"x": texts("one", "four")}, refused="StringLength")
def letters() -> tf.Module:
    return Module(lambda m, x: {"y": tf.strings.length(x)}, x=tf.TensorSpec((None, 1), tf.string))


@case({"x": texts("one", "four")}, refused="RegexReplace")
def replaced_letters() -> tf.Module:
    return Module(lambda m, x: {"y": tf.strings.regex_replace(x, "o", "u")}, x=tf.TensorSpec((None, 1), tf.string))


@case({"x": texts("one", "four", "x")}, {"x": texts("", "four", "é")})
def words_that_are_the_same() -> tf.Module:
    return Module(lambda m, x: {"y": x == "four"}, x=tf.TensorSpec((None, 1), tf.string))


@case({"x": normal(3, 5, 6, 2)}, {"x": normal(2, 5, 6, 2)})
def pictures() -> tf.Module:
    def answer(m: Any, x: tf.Tensor) -> dict[str, tf.Tensor]:
        kinds = {how: tf.image.resize(x, [7, 4], how) for how in ("bilinear", "nearest", "bicubic", "area")}
        return {**kinds, "depth": tf.nn.space_to_depth(x[:, :4], 2), "flip": tf.image.flip_left_right(x)}

    return Module(answer, x=floats(None, 5, 6, 2))


@case({"x": normal(4, 5, 3)}, {"x": odd(2, 5, 3)})
def reductions() -> tf.Module:
    def answer(m: Any, x: tf.Tensor) -> dict[str, tf.Tensor]:
        kinds = (tf.reduce_sum, tf.reduce_mean, tf.reduce_prod, tf.reduce_max, tf.reduce_min, tf.math.reduce_std)
        return {kind.__name__: kind(x, 1) for kind in kinds} | {"any": tf.reduce_any(x > 0, [1, 2])}

    return Module(answer, x=floats(None, 5, 3))


@case({"x": 1e-6 * normal(4, 5)}, {"x": normal(4, 5)}, {"x": odd(3, 5)})
def small_numbers() -> tf.Module:
    def answer(m: Any, x: tf.Tensor) -> dict[str, tf.Tensor]:
        scale = 1e6
        return {"expm1": tf.math.expm1(x) * scale, "log1p": tf.math.log1p(x) * scale, "erfc": tf.math.erfc(x)}

    return Module(answer, x=floats(None, 5))


@case({"i": whole(0, 4, 5)}, {"i": whole(-5, 8, 9)})
def one_hot_of_numbers_outside() -> tf.Module:
    def answer(m: Any, i: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"rows": tf.one_hot(i, 4), "columns": tf.one_hot(i, 4, 2.0, -1.0, axis=0)}

    return Module(answer, i=numbers(None))


@case({"x": normal(6, 3)}, {"x": normal(4, 3)})
def sorted_segments() -> tf.Module:
    def answer(m: Any, x: tf.Tensor) -> dict[str, tf.Tensor]:
        ids = tf.range(tf.shape(x)[0]) // 2
        return {
            "sum": tf.math.segment_sum(x, ids),
            "max": tf.math.segment_max(x, ids),
            "mean": tf.math.segment_mean(x, ids),
        }

    return Module(answer, x=floats(None, 3))


@case({"x": 3 * normal(4, 5)}, {"x": 1000 * normal(2, 5)})
def casts() -> tf.Module:
    kinds = {"i": tf.int32, "l": tf.int64, "b": tf.bool, "d": tf.float64, "h": tf.float16}
    return Module(lambda m, x: {name: tf.cast(x, kind) for name, kind in kinds.items()}, x=floats(None, 5))


@case({"x": whole(-9, 9, 4, 5)}, {"x": whole(-90, 90, 2, 5)})
def means_of_whole_numbers() -> tf.Module:
    def answer(m: Any, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "mean": tf.reduce_mean(x, 1),
            "power": x**2,
            "max": tf.reduce_max(x, 1),
            "abs": tf.abs(x),
            "and": tf.bitwise.bitwise_and(x, tf.constant(6, tf.int64)),
        }

    return Module(answer, x=numbers(None, 5))


@case({"x": normal(4, 5)}, {"x": odd(3, 5)})
def where_and_masks() -> tf.Module:
    def answer(m: Any, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "at": tf.where(x > 0),
            "kept": tf.where(x > 0, x, -x),
            "nan": tf.math.is_nan(x),
            "finite": tf.math.is_finite(x),
            "relu": tf.nn.relu(x),
            "leaky": tf.nn.leaky_relu(x),
            "soft": tf.nn.softmax(x),
            "same": tf.math.not_equal(x, x),
        }

    return Module(answer, x=floats(None, 5))


@case({"x": normal(3, 6, 2), "n": whole(1, 6, 3)}, {"x": normal(3, 6, 2), "n": whole(0, 7, 3)})
def sequences() -> tf.Module:
    def answer(m: Any, x: tf.Tensor, n: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "back": tf.reverse_sequence(x, n, 1, 0),
            "mask": tf.sequence_mask(n, 6),
            "roll": tf.roll(x, 2, 1),
            "stack": tf.stack(tf.unstack(x, axis=1), 2),
        }

    return Module(answer, x=floats(None, 6, 2), n=numbers(None))
