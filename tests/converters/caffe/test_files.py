"""Hostile and damaged files: one sentence each, in little time and memory; the readers under random changes."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from mlpack_toolkit.converters._caffe_files.text import Message, parse
from mlpack_toolkit.converters._caffe_files.wire import weights
from mlpack_toolkit.converters._graph.builder import GraphBuilder
from mlpack_toolkit.converters.caffe import load
from mlpack_toolkit.converters.caffe.building import Value
from mlpack_toolkit.converters.caffe.graph import build
from mlpack_toolkit.converters.caffe.net import read
from mlpack_toolkit.converters.caffe.preprocessing import read_mean
from mlpack_toolkit.converters.spec import Unreadable, Unsupported
from mlpack_toolkit.packager.errors import ModelError, UntrustedError
from mlpack_toolkit.packager.scan import beside
from tests import mutation
from tests.converters.caffe.architectures import resnet50, ssd300
from tests.converters.caffe.cases import CASES, n
from tests.converters.caffe.writer import Writer, blob, block, varint

SECONDS, BYTES = 6, 64 << 20
HEAD = 'input: "x" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8\n'


def layer(text: str) -> str:
    return f'{HEAD}layer {{ name: "tested" bottom: "x" top: "y" {text} }}'


CONV = 'type: "Convolution" convolution_param {'
TEXTS = {
    "no text": (b"\xff\xfe\0\1", "no text in UTF-8"),
    "nothing": (b"# a comment\n", "has no layer"),
    "a solver": (b'net: "train.prototxt"\nbase_lr: 0.1', "line 1: net is no field of a net"),
    "deep nesting": (b"layer { " * 5000, "nested more than 32 deep"),
    "a text without an end": (layer('type: "ReLU').encode(), "a quote that its line never closes"),
    "a brace without an end": (layer('type: "ReLU" relu_param {').encode()[:-1], "is never closed"),
    "a brace too many": (layer('type: "ReLU"').encode() + b"\n}", "line 3"),
    "a list": (layer(CONV + " kernel_size: [3, 3] } ").encode(), "in place of a list in brackets"),
    "bytes without meaning": (layer('type: "ReLU" \x00').encode(), "has no meaning here"),
    "an input of 10^18": (HEAD.replace("8", "1000000000").encode() + b'layer { name: "a" type: "ReLU" }', "1000000000"),
    "an input of 10^40": (HEAD.replace("8", "1" + 40 * "0").encode() + b'layer { name: "a" }', "whole number from 1"),
    "a negative input": (HEAD.replace("8", "-8").encode() + b'layer { name: "a" }', "whole number from 1"),
    "a negative pad": (layer(CONV + " num_output: 2 kernel_size: 3 pad: -1 }").encode(), "a whole number from 0"),
    "10^9 outputs": (layer(CONV + " num_output: 2000000000 kernel_size: 3 }").encode(), "has no filters"),
    "outputs beyond 32 bits": (layer(CONV + " num_output: 5000000000 kernel_size: 3 }").encode(), "below 2147483648"),
    "a kernel of 10^9": (layer(CONV + " num_output: 2 kernel_size: 1000000000 }").encode(), "no image is so large"),
    "a kernel larger than the image": (
        layer('type: "Pooling" pooling_param { kernel_size: 99 }').encode(), "holds nothing"),
    "a pad larger than the kernel": (
        layer('type: "Pooling" pooling_param { kernel_size: 2 pad: 2 }').encode(), "no smaller than its kernel"),
    "no kernel": (layer(CONV + " num_output: 2 }").encode(), "lacks kernel_size"),
    "three kernels": (layer(CONV + " num_output: 2" + " kernel_size: 2" * 3 + " }").encode(), "images have two axes"),
    "a stride of 0": (layer('type: "Pooling" pooling_param { kernel_size: 2 stride: 0 }').encode(), "number from 1"),
    "groups that do not fit": (layer(CONV + " num_output: 4 kernel_size: 1 group: 2 }").encode(), "2 groups"),
    "tiles of 10^9": (layer('type: "Tile" tile_param { tiles: 1000000000 }').encode(), "no machine holds"),
    "boxes of 10^9": (
        b'input: "x" input_shape { dim: 1 dim: 1 dim: 9000 dim: 9000 } layer { name: "tested" type: "PriorBox" '
        b'bottom: "x" bottom: "x" top: "y" prior_box_param { min_size: 3 clip: true variance: 0.1 } }',
        "makes more than"),
    "a shape of 10^9": (
        layer('type: "Reshape" reshape_param { shape { dim: 0 dim: 1000000000 } }').encode(), "holds other numbers"),
    "an axis of 9": (layer('type: "Softmax" softmax_param { axis: 9 }').encode(), "names the axis 9"),
    "an axis twice": (layer('type: "Permute" permute_param { order: 0 order: 0 }').encode(), "name each axis once"),
    "infinity": (layer('type: "Power" power_param { scale: inf }').encode(), "a finite number"),
    "a word for a number": (layer('type: "Power" power_param { scale: "big" }').encode(), "it is a number"),
    "a field twice": (layer('type: "Power" power_param { scale: 1 scale: 2 }').encode(), "2 times"),
    "a message twice": (layer('type: "Power" power_param { } power_param { }').encode(), "more than once"),
    "parameters of another type": (layer('type: "ReLU" pooling_param { }').encode(), "which its type does not take"),
    "a circle": (
        (HEAD + 'layer { name: "a" type: "Eltwise" bottom: "x" bottom: "z" top: "y" } '
         'layer { name: "b" type: "ReLU" bottom: "y" top: "z" }').encode(), "which no layer above it gives"),
    "two layers of one name": (
        (HEAD + 'layer { name: "a" type: "ReLU" bottom: "x" top: "y" } ' * 2).encode(), "two layers called 'a'"),
    "two sources of one blob": (
        (HEAD + 'layer { name: "a" type: "ReLU" bottom: "x" top: "y" } layer { name: "b" type: "TanH" bottom: "x" '
         'top: "y" }').encode(), "gives already"),
    "two inputs of one name": ((HEAD.replace('"x"', '"x" input: "x"') * 1 + layer("")).encode(), "input_dim"),
    "layer and layers": ((layer('type: "ReLU"') + ' layers { name: "b" }').encode(), "both layer and layers"),
    "the first form of all (V0)": (
        (HEAD + 'layers { layer { name: "c" type: "conv" } bottom: "x" top: "y" }').encode(), "upgrade_net_proto_text"),
    "an input that nobody takes": ((HEAD.replace('"x"', '"q"') + 'layer { name: "a" type: "Input" top: "x" input_param '
                                   '{ shape { dim: 1 dim: 2 } } } layer { name: "r" type: "ReLU" bottom: "x" top: "y" }'
                                    ).encode(), "no layer takes the input 'q'"),
    "too many layers": (b'layer { name: "a" }' * 20_001, "of 20000 at most"),
    "too many words": (b"a: 1 " * 100_000, "more than 262144 words"),
}  # fmt: skip


def _sentence(error: BaseException) -> None:
    said = str(error)
    assert said and "\n" not in said.strip() and len(said) < 700, said


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_prototxt_is_one_sentence(name: str, tmp_path: Path) -> None:
    content, why = TEXTS[name]
    path = tmp_path / "net.prototxt"
    path.write_bytes(content)
    began = time.process_time()
    with pytest.raises((Unreadable, Unsupported)) as refused:
        load(path, {})
    assert time.process_time() - began < SECONDS
    _sentence(refused.value)
    assert why in str(refused.value), refused.value


def _conv(*blobs: bytes) -> bytes:
    return block(100, block(1, b"tested") + b"".join(block(7, each) for each in blobs))


def _shape(*dims: int) -> bytes:
    return block(7, block(1, b"".join(map(varint, dims))))


FILTERS, BIASES = blob(n(2, 3, 3, 3)), blob(n(2))
BINARIES = {
    "nothing": (b"", "is empty"),
    "text": (b"layer { }", "cannot be read as weights"),
    "a number without an end": (b"\x0a\xff\xff\xff", "cut off"),
    "a number of twelve bytes": (b"\xff" * 12, "more than ten bytes"),
    "a field longer than the file": (b"\xa2\x06\xff\xff\xff\xff\x07", "are left"),
    "a cut file": (_conv(FILTERS, BIASES)[:-7], "are left"),
    "a blob of 10^18": (_conv(_shape(10**9, 10**9) + block(5, b"\0" * 8)), "its dimensions say"),
    "a blob of 10^60": (_conv(_shape(*[10**9] * 7)), "its dimensions say"),
    "a blob of 200 axes": (_conv(_shape(*[1] * 200)), "more than 32 axes"),
    "a blob of negative size": (_conv(_shape(2**64 - 1) + block(5, b"\0" * 8)), "its dimensions say"),
    "half a number": (_conv(_shape(2) + block(5, b"\0" * 7)), "in the middle of a number"),
    "numbers of 64 bits": (_conv(_shape(1) + block(8, b"\0" * 8)), "64 bits"),
    "numbers of no known form": (
        _conv(_shape(1) + varint(10 << 3) + b"\7" + block(12, b"\0" * 8)), "neither float nor half"),
    "a blob too few": (_conv(FILTERS), "has no biases"),
    "a blob too many": (_conv(FILTERS, BIASES, BIASES), "has 3 blobs of weights"),
    "filters of another net": (_conv(blob(n(2, 3, 5, 5)), BIASES), "by the prototxt they are"),
    "other layers": (block(100, block(1, b"other") + block(7, FILTERS)), "has no filters"),
}  # fmt: skip


@pytest.mark.parametrize("name", BINARIES)
def test_hostile_weights_are_one_sentence(name: str, tmp_path: Path) -> None:
    content, why = BINARIES[name]
    (tmp_path / "net.prototxt").write_text(layer(CONV + " num_output: 2 kernel_size: 3 }"))
    (tmp_path / "net.caffemodel").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(Unreadable) as refused:
        load(tmp_path / "net.caffemodel", {})
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    _sentence(refused.value)
    assert why in str(refused.value) and used < BYTES, refused.value


def _tried(path: Path) -> None:
    """Reads and translates as `load` does, without OpenCV, which a change may crash."""
    net = read(path.read_bytes(), path.name)
    found = weights(path.with_suffix(".caffemodel"))
    inputs = {each.name: Value(each.name, (None, *each.shape[1:])) for each in net.inputs}
    build(net, found, inputs, GraphBuilder("float32"))


def test_fuzzed_files_are_read_or_refused(tmp_path: Path) -> None:
    small = [CASES[name].net for name in ("Convolution with groups and a stride", "DetectionOutput", "Slice at points")]
    nets = [*small, *(make(0.0625) for make in (resnet50, ssd300))]
    path, refused, count = tmp_path / "net.prototxt", 0, 0
    for net in nets[:3]:
        net.write(tmp_path, "net")
        for kind, seed in ((".prototxt", net.text.encode()), (".caffemodel", net.binary)):
            for content in mutation.mutants([seed], mutation.SECONDS / 6):
                path.with_suffix(kind).write_bytes(content)
                began = time.process_time()
                try:
                    _tried(path)
                except (Unreadable, Unsupported) as error:
                    _sentence(error)
                    refused += 1
                assert time.process_time() - began < SECONDS
                count += 1
            path.with_suffix(kind).write_bytes(seed)
    assert refused > count // 20
    for net in nets[3:]:
        net.write(tmp_path, "net")
        _tried(path)


def test_the_two_files_find_each_other(tmp_path: Path) -> None:
    net = CASES["InnerProduct"].net
    path = net.write(tmp_path)
    assert beside("prototxt", path) == (tmp_path / "net.caffemodel",)
    assert beside("prototxt", tmp_path / "net.caffemodel") == (path,)
    (tmp_path / "deploy.prototxt").write_text(net.text)
    assert beside("prototxt", tmp_path / "deploy.prototxt") == (tmp_path / "net.caffemodel",)
    (tmp_path / "more.caffemodel").write_bytes(net.binary)
    with pytest.raises(ModelError, match=r"rename the one that belongs to it to deploy.caffemodel"):
        beside("prototxt", tmp_path / "deploy.prototxt")
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "w.caffemodel").write_bytes(net.binary)
    with pytest.raises(ModelError, match=r"put the net's w.prototxt beside it"):
        beside("prototxt", tmp_path / "alone" / "w.caffemodel")
    (tmp_path / "alone" / "w.prototxt").symlink_to(path)
    with pytest.raises(UntrustedError, match="is a link"):
        beside("prototxt", tmp_path / "alone" / "w.caffemodel")


def test_the_text_form_is_read_as_protobuf_reads_it() -> None:
    text = rb"""a: 1 b { c: 'x' "y\n" d: -1.5e-3 } b < c: z > # comment
    e: { f: .5f; g: true, }"""
    found = parse(text, "net")
    assert found.texts("a") == ["1"] and [each.texts("c") for each in found.messages("b")] == [["xy\n"], ["z"]]
    assert found.messages("b")[0].texts("d") == ["-1.5e-3"]
    inside = found.all("e")[0]
    assert isinstance(inside, Message) and inside.texts("f") == [".5f"] and inside.line == 2


def test_a_mean_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mean.binaryproto"
    path.write_bytes(blob(np.ones((1, 3, 4, 4), np.float32), "legacy"))
    assert read_mean(path)["shape"] == ["1", "3", "4", "4"]
    for content, why in ((b"\xff" * 20, "ten bytes"), (blob(n(5)), "the mean of images"), (b"", "has 0 numbers")):
        path.write_bytes(content)
        with pytest.raises(Unreadable, match=why):
            read_mean(path)


def test_a_writer_in_old_form_is_old() -> None:
    assert b"layers" not in Writer().text.encode() and Writer(old=True).layer("a", "RELU", "x", "y").text.count(
        "layers"
    )
