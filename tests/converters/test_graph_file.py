"""Graphs read without their numbers: as protobuf reads them, whatever holds the tensors."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlpack_toolkit.converters import graph_file
from mlpack_toolkit.converters.graph_file import INNER, NoGraph, external_tensors, locations, proto_of, skeleton

NUMBERS = np.arange(1000, dtype=np.float32)


def beside(name: str, location: str) -> Any:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "8"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def everywhere() -> Any:
    """A model with tensors in every place that can hold one; those called `far…` have their numbers elsewhere."""
    numbers = [numpy_helper.from_array(NUMBERS, "near"), beside("far", "a.data")]
    branches = {}
    for branch in ("then_branch", "else_branch"):
        held = helper.make_node("Constant", [], [branch], value=beside(f"far {branch}", "b.data"))
        out = helper.make_tensor_value_info(branch, TensorProto.FLOAT, None)
        branches[branch] = helper.make_graph([held], branch, [], [out], [beside(f"far {branch} 2", "c.data")])
    nodes = [
        helper.make_node("If", ["flag"], ["y"], **branches),
        helper.make_node("Forest", [], ["z"], floats=[float(i) for i in range(5000)], ints=list(range(-3, 3000))),
        helper.make_node("Texts", [], ["t"], strings=["ä", "", "b" * 3000]),
        helper.make_node("Many", [], ["m"], tensors=[beside("far list", "d.data"), numbers[0]]),
    ]
    sparse = onnx.SparseTensorProto(dims=[9], values=beside("far sparse", "e.data"))
    graph = helper.make_graph(nodes, "all", [], [], numbers, sparse_initializer=[sparse])
    body = [helper.make_node("Constant", [], ["c"], value=beside("far function", "f.data"))]
    function = helper.make_function("own", "f", [], ["c"], body, [helper.make_opsetid("", 21)])
    model = helper.make_model(graph, functions=[function])
    model.training_info.add().initialization.initializer.append(beside("far training", "g.data"))
    return model


def saved(model: Any, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return path


def tensors(message: Any) -> Iterator[Any]:
    """Every tensor in a message, by protobuf's own knowledge of it."""
    if isinstance(message, TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for part in value if field.is_repeated else [value]:
                yield from tensors(part)


def test_every_field_that_can_hold_a_tensor_is_known() -> None:
    """Held against the schema of the onnx that is installed: a later one may have more."""
    known = ("Model", "TrainingInfo", "Function", "Graph", "Node", "Attribute", "SparseTensor", "Tensor")
    by_name = {f"{name}Proto": number for number, name in enumerate(known)}

    def leads(kind: Any, seen: frozenset[str] = frozenset()) -> bool:
        if kind.name == "TensorProto":
            return True
        inner = [f.message_type for f in kind.fields if f.message_type and f.message_type.name not in seen]
        return any(leads(each, seen | {kind.name}) for each in inner)

    todo, found = [onnx.ModelProto.DESCRIPTOR], {}
    while todo:
        kind = todo.pop()
        if kind.name not in found:
            fields = {f.number: f.message_type for f in kind.fields if f.message_type and leads(f.message_type)}
            found[kind.name] = fields
            todo += fields.values()
    assert {by_name[n]: {k: by_name[v.name] for k, v in fields.items()} for n, fields in found.items()} == INNER


def test_external_tensors_are_found_wherever_they_are(tmp_path: Path) -> None:
    model = everywhere()
    found = external_tensors(saved(model, tmp_path))
    want = {t.name: tuple((e.key, e.value) for e in t.external_data) for t in tensors(model) if t.external_data}
    assert {each.tensor: each.entries for each in found} == want and len(want) == 9
    assert locations(tmp_path / "model.onnx") == tuple(f"{letter}.data" for letter in "abcdefg")


def test_a_skeleton_is_the_graph_without_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = everywhere()
    path = saved(model, tmp_path)
    assert skeleton(path) == path.read_bytes()
    monkeypatch.setattr(graph_file, "LARGE", 1)
    for tensor in tensors(model):
        if len(tensor.raw_data) > graph_file.MOST_PAYLOAD:
            tensor.ClearField("raw_data")
    assert proto_of(path) == model and len(skeleton(path)) < path.stat().st_size - 2 * NUMBERS.nbytes


def test_digests_stand_for_the_numbers(tmp_path: Path) -> None:
    """Two graphs that differ in one number of one tensor differ in that tensor's digest alone."""
    first = everywhere()
    second = onnx.ModelProto.FromString(first.SerializeToString())
    second.graph.initializer[0].raw_data = (NUMBERS + (NUMBERS == 500)).tobytes()
    (tmp_path / "b").mkdir()
    a, b = (proto_of(saved(m, f), digests=True) for m, f in ((first, tmp_path), (second, tmp_path / "b")))
    assert a.graph.initializer[0].doc_string != b.graph.initializer[0].doc_string
    b.graph.initializer[0].doc_string = a.graph.initializer[0].doc_string
    assert a == b


def test_what_is_no_graph_is_said(tmp_path: Path) -> None:
    """Cut or changed anywhere, a file is read as protobuf reads it, or refused with a sentence."""
    whole = everywhere().SerializeToString()
    rng = random.Random(0)
    for _ in range(300):
        damaged = bytearray(whole[: rng.randrange(1, len(whole))])
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path = saved(bytes(damaged), tmp_path)
        for read in (external_tensors, lambda path: skeleton(path, digests=True)):
            try:
                read(path)
            except NoGraph as error:
                assert str(error).startswith(("it ", "a name"))
    for content in (b"", b"\x80\x04N.", whole[:-1]):
        with pytest.raises(NoGraph):
            external_tensors(saved(content, tmp_path))


def test_messages_within_each_other_end(tmp_path: Path) -> None:
    """A graph in an attribute in a node in a graph, two hundred times: refused, no stack overflows."""
    inner = b""
    for _ in range(200):
        for tag in (b"\x32", b"\x2a", b"\x0a"):
            inner = tag + _varint(len(inner)) + inner
    path = saved(b"\x08\x0a\x3a" + _varint(len(inner)) + inner, tmp_path)
    for read in (external_tensors, lambda path: skeleton(path, digests=True)):
        with pytest.raises(NoGraph, match="nested too deeply"):
            read(path)


def _varint(number: int) -> bytes:
    return graph_file.encoded(number)
