"""The engine's ways of asking a graph: once, with tensors that stay bound, and with a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlpack_toolkit.converters.spec import Signature, Table, TensorSpec
from mlpack_toolkit.runtimes.engine.engine import FIRST_ROWS, Engine
from mlpack_toolkit.runtimes.engine.errors import Damaged, GraphStops, NoProvider

WIDTH = 1000


def model(nodes: list[Any], given: list[Any], gives: list[Any], constants: dict[str, Any]) -> bytes:
    held = [numpy_helper.from_array(np.array(values), name) for name, values in constants.items()]
    graph = helper.make_graph(nodes, "graph", given, gives, held)
    made: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    ).SerializeToString()
    return made


def widening(axis: int = 0) -> Engine:
    """Each number becomes a row of `WIDTH` such numbers; `axis`: of the rows."""
    x, y = (["N", 1], ["N", WIDTH]) if axis == 0 else ([1, "N"], [WIDTH, "N"])
    content = model(
        [helper.make_node("Expand", ["x", "wide"], ["y"])],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, y)],
        {"wide": [1, WIDTH] if axis == 0 else [WIDTH, 1]},
    )
    return Engine(
        content,
        Signature("graph", (TensorSpec("x", "float32", tuple(x)),), (TensorSpec("y", "float32", tuple(y)),)),
    )


def stopping() -> Engine:
    """Adds three numbers to three: it stops at two."""
    content = model(
        [helper.make_node("Add", ["x", "three"], ["y"])],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"])],
        {"three": np.ones(3, np.float32)},
    )
    spec = TensorSpec("x", "float32", ("N",)), TensorSpec("y", "float32", ("N",))
    return Engine(content, Signature("graph", spec[:1], spec[1:]))


@pytest.mark.parametrize("axis", [0, 1])
def test_a_stream_is_answered_in_pieces_of_bounded_size(axis: int) -> None:
    """The first rows show what an answer takes: one number in, 4000 bytes out."""
    engine, taken = widening(axis), []

    def tables() -> Iterator[Table]:
        for start, rows in ((0, 300), (300, 0), (300, 2)):
            taken.append(rows)
            x = np.arange(start, start + rows, dtype=np.float32)
            yield {"x": x[:, None] if axis == 0 else x[None]}

    answers = engine.stream(tables(), most_bytes=100 * WIDTH * 4)
    first = next(answers)["y"]
    assert taken == [300], "no table is read before it is needed"
    sizes = [first.shape[axis], *(each["y"].shape[axis] for each in answers)]
    assert sizes == [FIRST_ROWS, 100, 100, 300 - FIRST_ROWS - 200, 0, 2]


def test_a_stream_says_what_one_run_says() -> None:
    x = np.random.default_rng(0).random((500, 1), np.float32)
    pieces = [answers["y"] for answers in widening().stream([{"x": x[:200]}, {"x": x[200:]}], most_bytes=1)]
    assert len(pieces) > 300  # a single row may be larger than the bound
    assert np.array_equal(np.concatenate(pieces), widening().run({"x": x})["y"])


def test_a_stream_of_tensors_without_rows_is_whole() -> None:
    spec = TensorSpec("x", "float32", (100, 1)), TensorSpec("y", "float32", (100, WIDTH))
    engine = widening()
    engine.signature = Signature("graph", spec[:1], spec[1:])
    x = np.ones((100, 1), np.float32)
    assert [a["y"].shape for a in engine.stream([{"x": x}, {"x": x}], most_bytes=1)] == [(100, WIDTH)] * 2


def test_bound_tensors_are_answered_again_and_again() -> None:
    engine = widening()
    x = np.arange(4, dtype=np.float64)[:, None]  # of another type: it is brought into the input's own once
    bound = engine.bind({"x": x})
    for _ in range(3):
        bound.run()
        assert np.array_equal(bound.answers()["y"], engine.run({"x": x})["y"])


def test_a_bound_graph_that_stops_says_so() -> None:
    engine = stopping()
    bound = engine.bind({"x": np.ones(2, np.float32)})
    with pytest.raises(GraphStops, match="the graph stops on these rows"):
        bound.run()
    with pytest.raises(GraphStops, match="the graph stops on these rows"):
        engine.run({"x": np.ones(2, np.float32)})


def test_text_is_not_bound() -> None:
    content = model(
        [helper.make_node("Identity", ["x"], ["y"])],
        [helper.make_tensor_value_info("x", TensorProto.STRING, ["N"])],
        [helper.make_tensor_value_info("y", TensorProto.STRING, ["N"])],
        {},
    )
    spec = TensorSpec("x", "string", ("N",)), TensorSpec("y", "string", ("N",))
    engine = Engine(content, Signature("graph", spec[:1], spec[1:]))
    assert not engine.binds and widening().binds
    assert engine.run({"x": np.array(["a"], object)})["y"].tolist() == ["a"]


def test_what_cannot_be_opened() -> None:
    spec = TensorSpec("x", "float32", ("N",)), TensorSpec("y", "float32", ("N",))
    signature = Signature("graph", spec[:1], spec[1:])
    with pytest.raises(Damaged, match="cannot load the graph"):
        Engine(b"no graph", signature)
    with pytest.raises(NoProvider, match="no NoSuchProvider"):
        Engine(b"", signature, provider="NoSuchProvider")
    assert widening().provider == "CPUExecutionProvider"
