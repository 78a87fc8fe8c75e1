"""What callers send: other batches, other sizes, pixels in other orders; and the version of OpenCV."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
import pytest

from mlpack_toolkit.converters.caffe import CONVERTER, load
from mlpack_toolkit.converters.caffe.original import CaffeModel
from mlpack_toolkit.converters.caffe.preprocessing import check_mean, check_order, check_scale, read_mean
from mlpack_toolkit.converters.spec import MissingTool, Signature, TensorSpec, Unreadable, Unsupported
from tests.converters.caffe.cases import CASES, n
from tests.converters.caffe.layerwise import errors, in_graph, opened
from tests.converters.caffe.writer import Writer, blob

CLOSE = 1e-6
PIXELS = np.random.default_rng(2).integers(0, 256, (2, 3, 5, 4)).astype(np.uint8)
MEAN = np.arange(3 * 7 * 6, dtype=np.float32).reshape(1, 3, 7, 6)


def segmenter() -> Writer:
    """A net of convolutions, as segmentation has it: smaller, larger again, cut to the size of the image, added."""
    net = Writer().input("data", 1, 3, 13, 17)
    net.layer("c", "Convolution", "data", "c", "convolution_param { num_output: 4 kernel_size: 3 pad: 1 }",
              (n(4, 3, 3, 3), n(4))).layer("r", "ReLU", "c", "c")  # fmt: skip
    net.layer("p", "Pooling", "c", "p", "pooling_param { kernel_size: 3 stride: 2 pad: 1 }")
    net.layer("a", "Pooling", "p", "a", "pooling_param { pool: AVE kernel_size: 2 stride: 2 }")
    net.layer("u", "Deconvolution", "a", "u", "convolution_param { num_output: 4 kernel_size: 8 stride: 4 }",
              (n(4, 4, 8, 8) * 0.1, n(4)))  # fmt: skip
    net.layer("k", "Crop", "u c", "k", "crop_param { axis: 2 offset: 1 }").layer("e", "Eltwise", "k c", "e")
    return net.layer("g", "Pooling", "e", "g", "pooling_param { pool: AVE global_pooling: true }")


def test_images_of_any_size_where_the_net_allows_it(tmp_path: Path) -> None:
    model = opened(segmenter(), tmp_path, size="free")
    (taken,) = CONVERTER.original.describe(model).inputs
    assert taken.shape == ("N", 3, "height", "width")
    for shape in ((1, 3, 13, 17), (2, 3, 20, 9), (1, 3, 31, 32), (3, 3, 8, 8)):
        x = {"data": np.random.default_rng(0).standard_normal(shape, np.float32)}
        assert max(errors(model, x).values()) < CLOSE, shape
    with pytest.raises(Unsupported, match=r"needs the size of its input in numbers, and it is free here"):
        opened(CASES["InnerProduct"].net, tmp_path / "fixed", size="free")


def test_a_layer_in_place_on_the_input_is_an_output(tmp_path: Path) -> None:
    model = opened(Writer().input("data", 1, 4).layer("r", "ReLU", "data", "data"), tmp_path)
    description = CONVERTER.original.describe(model)
    x = np.array([[-1, 2, -3, 4]], np.float32)
    signature = Signature("graph", description.inputs, (TensorSpec("data", "float32", ("N", 4)),))
    CONVERTER.export.convert(model, description, signature, "float32", tmp_path / "m.onnx")
    session = ort.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    assert session.run(["data"], {"input_data": x})[0].tolist() == [[0, 2, 0, 4]]
    assert model.answers({"data": x})["data"].tolist() == [[0, 2, 0, 4]]
    silent = Writer().input("data", 1, 4).layer("r", "ReLU", "data", "y").layer("s", "Silence", "y", "")
    with pytest.raises(Unreadable, match="has no output"):
        opened(silent, tmp_path / "silent")


def test_sizes_that_the_prototxt_does_not_say_are_refused(tmp_path: Path) -> None:
    model = opened(CASES["InnerProduct"].net, tmp_path)
    for shape in ((2, 4, 7, 7), (2, 4, 7), (0, 4, 7, 6)):
        with pytest.raises(Unreadable):
            model.answers({"data": np.zeros(shape, np.float32)})
    assert model.answers({"data": np.zeros((9, 4, 7, 6), np.float32)})["answer"].shape == (9, 5)


def seen(model: CaffeModel, x: Any) -> Any:
    """What the net gets, from OpenCV and from the graph, which agree."""
    want = model.forward({"data": x}, ["same"])[0][0]
    np.testing.assert_allclose(in_graph(model, {"data": x})["same.0"], want, rtol=1e-6, atol=1e-6)
    return want


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ({"mean": "10,20,30"}, lambda x: x - np.array([10, 20, 30]).reshape(3, 1, 1)),
        ({"mean": "10", "scale": 0.5}, lambda x: (x - 10) * 0.5),
        ({"channels": "rgb", "mean": "10,20,30"}, lambda x: x[:, ::-1] - np.array([10, 20, 30]).reshape(3, 1, 1)),
        ({"channels": "rgb", "trained": "rgb", "scale": 2}, lambda x: x * 2),
        ({"mean_file": MEAN}, lambda x: x - MEAN[:, :, 1:6, 1:5]),
        ({"image": "data"}, lambda x: x[:, ::-1]),
        ({"image": "data:bgr:nhwc"}, lambda x: x),
    ],
)
def test_pixels_reach_the_net_as_the_options_say(given: dict[str, Any], want: Any, tmp_path: Path) -> None:
    if "mean_file" in given:
        (tmp_path / "mean.binaryproto").write_bytes(blob(MEAN, "legacy"))
        given = {"mean_file": read_mean(tmp_path / "mean.binaryproto")}
    net = Writer().input("data", 1, 3, 5, 4).layer("same", "Power", "data", "y")
    model = opened(net, tmp_path, **given)
    x = PIXELS if "image" in given else PIXELS.astype(np.float32)
    sent = x.transpose(0, 2, 3, 1) if "nhwc" in given.get("image", "") else x
    np.testing.assert_allclose(seen(model, np.ascontiguousarray(sent)), want(x.astype(np.float32)), rtol=1e-6)
    told = CONVERTER.original.describe(model).notes
    assert told or given in ({"image": "data:bgr:nhwc"}, {"channels": "rgb", "trained": "rgb"})


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"mean": "1,2"}, "has 2 numbers"),
        ({"image": "data:rgb", "channels": "bgr"}, "give one of the two"),
        ({"image": "pixels"}, "names 'pixels', which is no input of the net; the net has: data"),
        ({"image": "data:hwc"}, "takes nchw or nhwc"),
        ({"mean": "1", "mean_file": {"shape": ["1"], "numbers": [""]}}, "give one of the two"),
        ({"mean_file": {"shape": ["1", "3", "2", "2"], "numbers": ["A" * 64]}}, "caffe.mean_file is"),
    ],
)
def test_options_that_do_not_fit_the_net_are_refused(given: dict[str, Any], why: str, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=why):
        opened(Writer().input("data", 1, 3, 5, 4).layer("same", "Power", "data", "y"), tmp_path, **given)


def test_options_are_checked_before_a_net_is_read() -> None:
    for check, wrong in ((check_mean, "a,b"), (check_mean, "nan"), (check_order, "grb"), (check_scale, 0.0)):
        with pytest.raises(Unreadable):
            check(wrong)  # type: ignore[operator]


def test_another_opencv_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = CASES["ReLU"].net.write(tmp_path)
    for version in ("5.0.0", "4.11.0"):
        monkeypatch.setattr(cv2, "__version__", version)
        with pytest.raises(Unsupported, match=r"opencv-python-headless>=4.12,<5"):
            load(path, {})
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingTool, match=r"opencv-python-headless>=4.12,<5"):
        load(path, {})
