"""ONNX files that attack whoever parses, checks, loads or asks them: by name, the bytes of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import AttributeProto, ModelProto, SparseTensorProto, TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
Change = Callable[[ModelProto], None]


def plain(
    nodes: list[Any] | None = None, inputs: list[Any] | None = None, outputs: list[Any] | None = None
) -> ModelProto:
    """A good model: `y = x + 1`."""
    nodes = [helper.make_node("Add", ["x", "one"], ["y"])] if nodes is None else nodes
    graph = helper.make_graph(nodes, "g", inputs or [value("x")], outputs or [value("y")], [constant("one")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def value(name: str, shape: Any = ("N", 2), kind: int = FLOAT) -> Any:
    """An input or output."""
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name: str, shape: Any = (2,)) -> Any:
    """Ones under a name."""
    return numpy_helper.from_array(np.ones(shape, np.float32), name)


def changed(change: Change) -> bytes:
    """The good model with one thing changed."""
    model = plain()
    change(model)
    return bytes(model.SerializeToString())


def chain(count: int) -> bytes:
    """So many nodes in a row."""
    names = ["x", *(f"v{i}" for i in range(count - 1)), "y"]
    nodes = [helper.make_node("Identity", [a], [b]) for a, b in zip(names, names[1:])]
    return bytes(plain(nodes).SerializeToString())


def nested(depth: int) -> bytes:
    """An If within an If, so deep, written by hand: protobuf's own writer would stop before."""
    body = _message(1, _node(b"Identity", [b"x"], [b"y"])) + _message(12, _value(b"y"))
    for _ in range(depth):
        branches = [_message(5, _message(1, name) + b"\xa0\x01\x05" + _message(6, body)) for name in (b"then_branch",)]
        body = _message(1, _node(b"If", [b"c"], [b"y"]) + b"".join(branches)) + _message(12, _value(b"y"))
    graph = body + _message(11, _value(b"x"))
    return b"\x08\x0a" + _message(7, graph) + _message(8, b"\x10\x15")


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def _node(kind: bytes, inputs: list[bytes], outputs: list[bytes]) -> bytes:
    ends = b"".join(_message(1, i) for i in inputs) + b"".join(_message(2, o) for o in outputs)
    return ends + _message(4, kind)


def _value(name: bytes) -> bytes:
    return _message(1, name) + _message(
        2, _message(1, b"\x08\x01" + _message(2, _message(1, b"\x12\x01N") + _message(1, b"\x08\x02")))
    )


def _function(model: ModelProto, name: str, calls: str) -> None:
    node = helper.make_node(calls, ["a"], ["b"], domain="own")
    model.functions.append(helper.make_function("own", name, ["a"], ["b"], [node], [helper.make_opsetid("", 21)]))


def _recursive(model: ModelProto, *names: str) -> None:
    for name, calls in zip(names, [*names[1:], names[0]]):
        _function(model, name, calls)
        model.functions[-1].opset_import.append(helper.make_opsetid("own", 1))
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.graph.node[0].CopyFrom(helper.make_node(names[0], ["x"], ["y"], domain="own"))


def _laughs(model: ModelProto, depth: int) -> None:
    """Functions that each call the next ten times."""
    for i in range(depth):
        nodes = [
            helper.make_node(f"f{i + 1}", ["a" if k == 0 else f"t{k}"], [f"t{k + 1}"], domain="own") for k in range(10)
        ]
        imports = [helper.make_opsetid("", 21), helper.make_opsetid("own", 1)]
        model.functions.append(helper.make_function("own", f"f{i}", ["a"], ["t10"], nodes, imports))
    last = [helper.make_node("Identity", ["a"], ["t10"])]
    model.functions.append(
        helper.make_function("own", f"f{depth}", ["a"], ["t10"], last, [helper.make_opsetid("", 21)])
    )
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.graph.node[0].CopyFrom(helper.make_node("f0", ["x"], ["y"], domain="own"))


def _external(model: ModelProto, location: str, **more: str) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=text)


def _first(model: ModelProto) -> Any:
    return model.graph.input[0].type.tensor_type.shape.dim


def _initializer(model: ModelProto) -> Any:
    return model.graph.initializer[0]


def _cycle(model: ModelProto) -> None:
    model.graph.node[0].input[1] = "z"
    model.graph.node.append(helper.make_node("Identity", ["y"], ["z"]))


def _loop(model: ModelProto) -> None:
    """A Loop inside which nothing ends the loop within a lifetime."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Identity", ["v"], ["w"])], "b",
        [value("i", (), TensorProto.INT64), value("c", (), TensorProto.BOOL), value("v")],
        [value("d", (), TensorProto.BOOL), value("w")],
    )  # fmt: skip
    model.graph.initializer.append(numpy_helper.from_array(np.array(2**62), "many"))
    model.graph.node[0].CopyFrom(helper.make_node("Loop", ["many", "", "x"], ["y"], body=body))


def _training(model: ModelProto) -> None:
    info = model.training_info.add()
    info.algorithm.node.append(helper.make_node("Nothing", ["x"], ["y"]))


def _sparse(model: ModelProto, index: int, dims: int) -> None:
    values = numpy_helper.from_array(np.ones(1, np.float32), "one")
    indices = numpy_helper.from_array(np.array([index]), "i")
    del model.graph.initializer[:]
    model.graph.sparse_initializer.append(SparseTensorProto(values=values, indices=indices, dims=[dims]))


def _strings(model: ModelProto) -> None:
    model.graph.node[0].attribute.append(
        AttributeProto(name="\x00\x1b[31m\n", type=AttributeProto.STRING, s=b"\xff\xfe")
    )


def files() -> dict[str, bytes]:
    """Every attack by name; each is refused, or is harmless and then builds."""
    changes: dict[str, Change] = {
        "no node": lambda m: m.graph.ClearField("node"),
        "no input": lambda m: m.graph.ClearField("input"),
        "no output": lambda m: m.graph.ClearField("output"),
        "no opset": lambda m: m.ClearField("opset_import"),
        "opset 0": lambda m: setattr(m.opset_import[0], "version", 0),
        "opset -1": lambda m: setattr(m.opset_import[0], "version", -1),
        "opset 2^62": lambda m: setattr(m.opset_import[0], "version", 2**62),
        "two opsets": lambda m: m.opset_import.append(helper.make_opsetid("", 3)),
        "IR version 0": lambda m: setattr(m, "ir_version", 0),
        "IR version 99": lambda m: setattr(m, "ir_version", 99),
        "IR version -1": lambda m: setattr(m, "ir_version", -1),
        "a width of 2^62": lambda m: setattr(_first(m)[1], "dim_value", 2**62),
        "a width of 10^9": lambda m: setattr(_first(m)[1], "dim_value", 10**9),
        "a width of -5": lambda m: setattr(_first(m)[1], "dim_value", -5),
        "a width of 0": lambda m: setattr(_first(m)[1], "dim_value", 0),
        "a batch of -1": lambda m: setattr(_first(m)[0], "dim_value", -1),
        "a batch of 2^40": lambda m: setattr(_first(m)[0], "dim_value", 2**40),
        "200 dimensions": lambda m: [_first(m).add(dim_value=1) for _ in range(200)],  # type: ignore[dict-item, return-value]
        "an unknown operator": lambda m: setattr(m.graph.node[0], "op_type", "Evil\x1b[31m\n"),
        "an unknown domain": lambda m: setattr(m.graph.node[0], "domain", "evil.example"),
        "an input that nobody gives": lambda m: m.graph.node[0].input.__setitem__(0, "nothing"),
        "an output that nobody makes": lambda m: m.graph.node[0].output.__setitem__(0, "z"),
        "one name twice": lambda m: m.graph.input.append(value("x")),
        "an input without name": lambda m: setattr(m.graph.input[0], "name", ""),
        "an input without type": lambda m: m.graph.input[0].ClearField("type"),
        "an element type 999": lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 999),
        "complex numbers": lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", TensorProto.COMPLEX64),
        "raw data too short": lambda m: setattr(_initializer(m), "raw_data", b"\0"),
        "raw data too long": lambda m: setattr(_initializer(m), "raw_data", bytes(999)),
        "an initialiser of 2^60": lambda m: _initializer(m).dims.__setitem__(0, 2**60),
        "an initialiser of -2": lambda m: _initializer(m).dims.__setitem__(0, -2),
        "an initialiser that overflows": lambda m: _initializer(m).dims.extend([2**62, 2**62]),
        "an initialiser of type 999": lambda m: setattr(_initializer(m), "data_type", 999),
        "data above the folder": lambda m: _external(m, "../../../etc/passwd"),
        "data at a root": lambda m: _external(m, "/etc/passwd"),
        "data in no file": lambda m: _external(m, "nothing.bin"),
        "data in the model itself": lambda m: _external(m, "x.onnx", offset="9999999999"),
        "data before the file": lambda m: _external(m, "x.onnx", offset="-1"),
        "data of NaN bytes": lambda m: _external(m, "x.onnx", length="nan"),
        "data that overflow": lambda m: _external(m, "x.onnx", offset="9" * 18, length="9" * 18),
        "data in a device": lambda m: _external(m, "/dev/zero"),
        "a cycle": _cycle,
        "a node that reads itself": lambda m: m.graph.node[0].input.__setitem__(0, "y"),
        "a function that calls itself": lambda m: _recursive(m, "f"),
        "functions in a ring": lambda m: _recursive(m, "f", "g", "h"),
        "functions that grow to 10^8 nodes": lambda m: _laughs(m, 8),
        "words for training": _training,
        "a sparse index behind": lambda m: _sparse(m, 2**40, 2),
        "a sparse index before": lambda m: _sparse(m, -1, 2),
        "a sparse tensor of 2^40": lambda m: _sparse(m, 0, 2**40),
        "text that is none": _strings,
        "words that turn": lambda m: setattr(m.graph, "name", "\u202e\x1b[31m\x00</script>\n"),
    }  # fmt: skip
    found = {name: changed(change) for name, change in changes.items()}
    for kind, made in (
        ("a sequence", helper.make_tensor_sequence_value_info("x", FLOAT, ["N", 2])),
        ("an optional", helper.make_value_info("x", helper.make_optional_type_proto(value("x").type))),
        ("a sparse input", helper.make_sparse_tensor_value_info("x", FLOAT, ["N", 2])),
        ("a map", helper.make_value_info("x", helper.make_map_type_proto(TensorProto.INT64, value("x").type))),
    ):
        found[kind] = bytes(plain(inputs=[made]).SerializeToString())
    whole = plain().SerializeToString()
    found |= {f"cut at {end}": whole[:end] for end in (0, 1, 9, len(whole) // 2, len(whole) - 1)}
    return found | {
        "100,000 nodes": chain(100_000),
        "90 graphs in each other": nested(30),
        "9,000 graphs in each other": nested(3000),
        "bytes of anything": bytes(range(256)) * 40,
        "a length beyond the file": b"\x08\x0a\x3a\xff\xff\xff\xff\x0f" + bytes(100),
        "groups that never end": b"\x08\x0a" + b"\x0b" * 100_000,
    }


LOOP = changed(_loop)
"""A graph that never ends."""
