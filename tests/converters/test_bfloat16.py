"""The bits of bfloat16 against ml_dtypes and ONNX Runtime's own Cast, and graphs that take and give it."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper

from mlpack_toolkit.converters.bfloat16 import LARGEST, bits_of, of_bits, rounded, run_of, spacing

EVERY = np.arange(2**16, dtype=np.uint16)
RNG = np.random.default_rng(0)
FLOATS = RNG.integers(0, 2**32, 200_000, dtype=np.uint32).view(np.float32)
"""Random bits: all magnitudes, subnormal ones, NaN and the infinities."""


@pytest.mark.quick
def test_every_number_comes_back_bit_by_bit() -> None:
    numbers = of_bits(EVERY)
    np.testing.assert_array_equal(numbers, EVERY.view(ml_dtypes.bfloat16).astype(np.float32))
    known = ~np.isnan(numbers)
    np.testing.assert_array_equal(bits_of(numbers)[known], EVERY[known])
    assert np.isnan(of_bits(bits_of(numbers))[~known]).all()
    assert float(ml_dtypes.finfo(ml_dtypes.bfloat16).max) == LARGEST


@pytest.mark.quick
def test_numbers_are_rounded_to_the_nearest() -> None:
    known = ~np.isnan(FLOATS)
    with np.errstate(invalid="ignore"):
        want = FLOATS.astype(ml_dtypes.bfloat16).view(np.uint16)
    np.testing.assert_array_equal(bits_of(FLOATS)[known], want[known])
    ties = np.array([1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-8, LARGEST * 1.0019, 1e39], np.float64)
    assert rounded(ties).tolist() == [1, 1 + 2**-6, -1, LARGEST, np.inf]


@pytest.mark.quick
def test_any_layout_of_memory() -> None:
    table = np.arange(6, dtype=np.float64).reshape(2, 3).T
    assert bits_of(table).flags.c_contiguous and rounded(table).tolist() == table.tolist()
    for shape in ((), (0, 3), (2, 1)):
        assert rounded(np.ones(shape)).shape == shape


@pytest.mark.quick
def test_the_distance_of_neighbours() -> None:
    assert spacing(np.array([1, -1, 1.5, 256], np.float32)).tolist() == [2**-7, 2**-7, 2**-7, 2]


def _session(nodes: list[Any], takes: dict[str, tuple[int, list[Any]]], gives: dict[str, tuple[int, list[Any]]]) -> Any:
    import onnxruntime as ort

    sides = [[helper.make_tensor_value_info(n, *of) for n, of in side.items()] for side in (takes, gives)]
    graph = helper.make_graph(nodes, "g", *sides)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


HALF, FLOAT, WORD = TensorProto.BFLOAT16, TensorProto.FLOAT, TensorProto.STRING


def test_the_rounding_is_that_of_a_graph() -> None:
    session = _session([helper.make_node("Cast", ["x"], ["y"], to=HALF)], {"x": (FLOAT, ["N"])}, {"y": (HALF, ["N"])})
    np.testing.assert_array_equal(run_of(session)(["y"], {"x": FLOATS}, None)[0], rounded(FLOATS))


def test_tensors_of_all_kinds_in_one_graph() -> None:
    """Text beside bfloat16, any layout, no rows, a single number; outputs of bfloat16 or none of them."""
    shape: list[Any] = ["N", 3]
    kinds = {"x": (HALF, shape), "t": (WORD, ["K"]), "s": (HALF, list[Any]())}
    nodes = [helper.make_node("Identity", [n], [f"{n}_out"]) for n in kinds]
    nodes.append(helper.make_node("Cast", ["x"], ["wide"], to=FLOAT))
    session = _session(nodes, kinds, {**{f"{n}_out": of for n, of in kinds.items()}, "wide": (FLOAT, shape)})
    run, words = run_of(session), np.array(["", "naïve", "日本"], object)
    for rows in (np.arange(6.0).reshape(3, 2).T / 3, np.empty((0, 3))):
        feeds = {"x": rows, "t": words, "s": np.array(2.5)}
        x, t, s, wide = run(["x_out", "t_out", "s_out", "wide"], feeds, None)
        np.testing.assert_array_equal(x, rounded(rows))
        np.testing.assert_array_equal(wide, rounded(rows))
        assert t.tolist() == words.tolist() and s.tolist() == 2.5 and x.dtype == s.dtype == np.float32
        np.testing.assert_array_equal(run(["wide"], feeds, None)[0], wide)
    empty = {"x": np.empty((0, 3)), "t": np.empty(0, object), "s": np.array(0.0)}
    assert run(["t_out", "x_out"], empty, None)[0].shape == (0,)


def test_a_graph_without_bfloat16_is_asked_as_it_is() -> None:
    session = _session([helper.make_node("Identity", ["x"], ["y"])], {"x": (FLOAT, ["N"])}, {"y": (FLOAT, ["N"])})
    assert run_of(session) == session.run
