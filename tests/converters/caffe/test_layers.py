"""Each type of layer, blob by blob as OpenCV has it; what OpenCV computes otherwise than Caffe is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlpack_toolkit.converters.caffe.layers import translations
from mlpack_toolkit.converters.spec import Unreadable, Unsupported
from tests.converters.caffe.architectures import ARCHITECTURES
from tests.converters.caffe.cases import CASES, REFUSED, n, one
from tests.converters.caffe.layerwise import errors, opened
from tests.converters.caffe.writer import Writer

CLOSE = 1e-6
"""Relative to the largest number of a blob: a few steps of float32."""
DEEP = 1e-5
"""The same behind many layers."""


@pytest.mark.parametrize("name", CASES)
def test_every_blob_is_that_of_opencv(name: str, tmp_path: Path) -> None:
    model, feeds = opened(CASES[name].net, tmp_path), CASES[name].feeds()
    found = errors(model, feeds)
    assert found and max(found.values()) < CLOSE, found
    assert all(np.isfinite(values).all() for values in model.answers(feeds).values())


def test_there_is_a_case_for_every_type() -> None:
    assert {case.kind for case in CASES.values()} >= translations().keys()


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_faithful_graph_is_refused_by_name_and_line(name: str, tmp_path: Path) -> None:
    case, why = REFUSED[name]
    with pytest.raises((Unreadable, Unsupported), match=r"tested.*line \d+ of the prototxt") as refused:
        opened(case.net, tmp_path)
    assert why in str(refused.value)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_classical_nets_are_equal_layer_by_layer(name: str, tmp_path: Path) -> None:
    model = opened(ARCHITECTURES[name](0.0625), tmp_path)
    shape = model.net.inputs[0].shape
    times = np.float32(60 if name == "SSD-300" else 1)  # as pixels have it
    x = {"data": np.random.default_rng(1).standard_normal((2, *shape[1:]), np.float32) * times}
    found = errors(model, x)
    assert len(found) >= len(model.net.layers) and max(found.values()) < DEEP, found
    if name == "SSD-300":
        boxes = model.answers(x)["detection_out"][0, 0]
        assert (boxes[:, 2] > 0).sum() > 20 and set(boxes[:, 0]) == {0, 1}


def test_old_nets_and_old_blobs_are_read(tmp_path: Path) -> None:
    """V1: `layers` with types in capitals; blobs as num, channels, height, width; loose and half numbers."""
    for form in ("legacy", "loose", "half"):
        net = Writer(old=form == "legacy", form=form)
        net.lines.append('input: "data"\ninput_dim: 1\ninput_dim: 3\ninput_dim: 5\ninput_dim: 5')
        kinds = ("CONVOLUTION", "RELU", "INNER_PRODUCT") if net.old else ("Convolution", "ReLU", "InnerProduct")
        net.layer(
            "c", kinds[0], "data", "c", "convolution_param { num_output: 4 kernel_size: 3 }", (n(4, 3, 3, 3), n(4))
        )
        net.layer("r", kinds[1], "c", "c")
        net.layer("f", kinds[2], "c", "f", "inner_product_param { num_output: 2 }", (n(2, 36), n(2)))
        model = opened(net, tmp_path / form)
        x = {"data": np.random.default_rng(0).standard_normal((2, 3, 5, 5)).astype(np.float32)}
        assert max(errors(model, x).values()) < CLOSE and model.net.upgraded == net.old


def test_only_layers_of_the_phase_test_count(tmp_path: Path) -> None:
    net = Writer().input("data", 1, 4).layer("a", "Power", "data", "y", "power_param { scale: 2 }")
    net.layer("b", "Power", "y", "t", "power_param { scale: 3 } include { phase: TRAIN }")
    net.layer("c", "Power", "y", "z", "power_param { scale: 5 } exclude { phase: TRAIN }")
    net.layer("d", "Power", "z", "w", "power_param { scale: 7 } include { phase: TEST } include { stage: 'deploy' }")
    net.layer("e", "Power", "z", "v", "power_param { scale: 7 } include { stage: 'deploy' }")
    model = opened(net, tmp_path)
    assert model.net.left_out == ("b", "e") and model.outputs == ("w",)
    assert model.answers({"data": np.ones((1, 4), np.float32)})["w"].tolist() == [[70.0] * 4]


def test_equal_numbers_have_the_order_of_caffe(tmp_path: Path) -> None:
    model = opened(one("ArgMax", "axis: 1").net, tmp_path)
    x = {"data": np.zeros((2, 4, 7, 6), np.float32)}
    assert max(errors(model, x).values()) == 0 and (model.answers(x)["answer"] == 3).all()
