"""External data of ONNX models: found wherever a tensor can hide, refused when it leaves the folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from mlpack_toolkit.packager.errors import ModelError, UntrustedError
from mlpack_toolkit.packager.scan.onnx_files import check_external_data

FLOAT = TensorProto.FLOAT


def external(*pairs: tuple[str, str]) -> TensorProto:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    for key, value in pairs:
        tensor.external_data.add(key=key, value=value)
    return tensor


def graph(*nodes: onnx.NodeProto, **parts: object) -> onnx.GraphProto:
    return helper.make_graph(list(nodes), "g", [], [], **parts)


def in_initializer(tensor: TensorProto) -> onnx.ModelProto:
    return helper.make_model(graph(initializer=[tensor]))


def in_sparse_initializer(tensor: TensorProto) -> onnx.ModelProto:
    model = helper.make_model(graph())
    model.graph.sparse_initializer.add().values.CopyFrom(tensor)
    return model


def in_constant(tensor: TensorProto) -> onnx.ModelProto:
    return helper.make_model(graph(helper.make_node("Constant", [], ["c"], value=tensor)))


def in_tensors_attribute(tensor: TensorProto) -> onnx.ModelProto:
    node = helper.make_node("X", [], ["c"])
    node.attribute.add(name="ts", type=onnx.AttributeProto.TENSORS).tensors.append(tensor)
    return helper.make_model(graph(node))


def in_sparse_attribute(tensor: TensorProto) -> onnx.ModelProto:
    node = helper.make_node("Constant", [], ["c"])
    node.attribute.add(name="s", type=onnx.AttributeProto.SPARSE_TENSOR).sparse_tensor.indices.CopyFrom(tensor)
    return helper.make_model(graph(node))


def in_subgraph(tensor: TensorProto) -> onnx.ModelProto:
    inner = graph(helper.make_node("Constant", [], ["c"], value=tensor))
    middle = graph(helper.make_node("If", ["b"], ["d"], then_branch=inner, else_branch=graph()))
    return helper.make_model(graph(helper.make_node("Loop", ["m"], ["e"], body=middle)))


def in_function(tensor: TensorProto) -> onnx.ModelProto:
    model = helper.make_model(graph())
    node = helper.make_node("Constant", [], ["c"], value=tensor)
    model.functions.append(helper.make_function("d", "f", [], ["c"], [node], []))
    return model


def in_training_info(tensor: TensorProto) -> onnx.ModelProto:
    model = helper.make_model(graph())
    model.training_info.add().initialization.CopyFrom(graph(initializer=[tensor]))
    return model


PLACES = (
    in_initializer,
    in_sparse_initializer,
    in_constant,
    in_tensors_attribute,
    in_sparse_attribute,
    in_subgraph,
    in_function,
    in_training_info,
)
HOSTILE = (
    "/etc/passwd",
    "../secret.bin",
    "sub/../../secret.bin",
    "sub/../w.bin",
    "C:\\secret.bin",
    "..\\secret.bin",
    "\\\\host\\share",
    "C:secret.bin",
    "link.bin",
    "linked/secret.bin",
    "*/_ORT_MEM_ADDR_/*",
    "w.bin\0.txt",
    "./w.bin/../../x",
)


def saved(folder: Path, model: onnx.ModelProto) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "sub").mkdir(exist_ok=True)
    (folder / "w.bin").write_bytes(bytes(8))
    (folder / "sub" / "v.bin").write_bytes(bytes(8))
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    return folder / "m.onnx"


@pytest.mark.parametrize("place", PLACES)
def test_a_file_in_the_folder_is_returned_wherever_the_tensor_is(
    tmp_path: Path, place: Callable[[TensorProto], onnx.ModelProto]
) -> None:
    path = saved(tmp_path / "m", place(external(("location", "sub/v.bin"), ("length", "8"))))
    assert check_external_data(path) == ((tmp_path / "m" / "sub" / "v.bin").resolve(),)


@pytest.mark.parametrize("place", PLACES)
def test_a_file_outside_of_the_folder_is_refused_wherever_the_tensor_is(
    tmp_path: Path, place: Callable[[TensorProto], onnx.ModelProto]
) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(8))
    path = saved(tmp_path / "m", place(external(("location", "../secret.bin"))))
    with pytest.raises(UntrustedError, match=r"\.\./secret\.bin"):
        check_external_data(path)


@pytest.mark.parametrize("location", HOSTILE)
def test_a_location_that_leaves_the_folder_is_refused(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(8))
    path = saved(tmp_path / "m", in_initializer(external(("location", location))))
    (tmp_path / "m" / "link.bin").symlink_to(tmp_path / "secret.bin")
    (tmp_path / "m" / "linked").symlink_to(tmp_path)
    with pytest.raises(UntrustedError) as caught:
        check_external_data(path)
    assert caught.value.facts["names"] == [location]


def test_a_link_within_the_folder_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "m", in_initializer(external(("location", "link.bin"))))
    (tmp_path / "m" / "link.bin").symlink_to("w.bin")
    with pytest.raises(UntrustedError):
        check_external_data(path)


@pytest.mark.parametrize(
    "pairs",
    [
        (),
        (("location", ""),),
        (("location", "none.bin"),),
        (("location", "sub"),),
        (("location", "w.bin"), ("location", "sub/v.bin")),
        (("location", "w.bin"), ("offset", "-1")),
        (("location", "w.bin"), ("offset", "x")),
        (("location", "w.bin"), ("offset", "4"), ("length", "8")),
        (("location", "w.bin"), ("length", "9" * 30)),
    ],
)
def test_a_broken_reference_is_a_model_error(tmp_path: Path, pairs: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(ModelError) as caught:
        check_external_data(saved(tmp_path / "m", in_initializer(external(*pairs))))
    assert not isinstance(caught.value, UntrustedError)


def test_a_location_counts_even_when_the_tensor_does_not_claim_to_be_external(tmp_path: Path) -> None:
    tensor = external(("location", "/etc/passwd"))
    tensor.data_location = TensorProto.DEFAULT
    with pytest.raises(UntrustedError):
        check_external_data(saved(tmp_path / "m", in_initializer(tensor)))


def test_a_model_without_external_data_has_none(tmp_path: Path) -> None:
    inside = helper.make_tensor("w", FLOAT, [2], [1.0, 2.0])
    assert check_external_data(saved(tmp_path / "m", in_initializer(inside))) == ()


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff" * 64, b"tree\nversion=v4\n", b"\x08\x08"])
def test_what_is_no_model_is_a_model_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"m\.onnx"):
        check_external_data(path)


def test_a_missing_file_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Check the path"):
        check_external_data(tmp_path / "none.onnx")


def test_the_suffix_does_not_choose_the_parser(tmp_path: Path) -> None:
    path = saved(tmp_path / "m", in_initializer(external(("location", "/etc/passwd"))))
    text = path.rename(path.with_suffix(".json"))
    with pytest.raises(UntrustedError):
        check_external_data(text)


def part(number: int, content: bytes) -> bytes:
    """A protobuf field that holds a message."""
    size = len(content)
    prefix = bytearray([number << 3 | 2])
    while size > 127:
        prefix.append(size & 127 | 128)
        size >>= 7
    return bytes([*prefix, size]) + content


def test_graphs_nested_beyond_the_parsers_depth_are_a_model_error(tmp_path: Path) -> None:
    inner = b""
    for _ in range(5000):
        inner = part(1, part(5, part(6, inner)))
    path = tmp_path / "m.onnx"
    path.write_bytes(part(7, inner))
    with pytest.raises(ModelError):
        check_external_data(path)
