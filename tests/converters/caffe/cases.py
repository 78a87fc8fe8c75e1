"""Small nets, one for each type of layer and each parameter that changes its answer; and what is refused, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.converters.caffe.writer import Writer

Array = np.ndarray[Any, Any]
SHAPE = (2, 4, 7, 6)


@dataclass(frozen=True)
class Case:
    """A net of one layer or a few. `kind`: the type that it is about."""

    kind: str
    net: Writer

    def feeds(self) -> dict[str, Array]:
        """Numbers for its inputs."""
        random = np.random.default_rng(5)
        found = {}
        for line in self.net.lines:
            if line.startswith("input:"):
                name, sizes = line.split('"')[1], [int(word) for word in line.split() if word.isdigit()]
                found[name] = random.standard_normal(sizes).astype(np.float32)
        return {name: abs(x) + np.float32(0.1) if self.kind == "Log" else x for name, x in found.items()}


def n(*shape: int) -> Array:
    """Weights."""
    return (np.random.default_rng(sum(shape)).standard_normal(shape) * 0.7).astype(np.float32)


def one(kind: str, text: str = "", *blobs: Array, shape: tuple[int, ...] = SHAPE, more: tuple[Any, ...] = ()) -> Case:
    """A net of one layer."""
    net = Writer().input("data", *shape)
    names = [f"d{at}" for at in range(len(more))]
    for name, sizes in zip(names, more, strict=True):
        net.input(name, *sizes)
    parameters = f"{_MESSAGE.get(kind, kind.lower() + '_param')} {{ {text} }}" if text else ""
    return Case(kind, net.layer("tested", kind, " ".join(["data", *names]), "answer", parameters, blobs))


_MESSAGE = {
    "Convolution": "convolution_param", "Deconvolution": "convolution_param", "InnerProduct": "inner_product_param",
    "BatchNorm": "batch_norm_param", "Normalize": "norm_param", "PriorBox": "prior_box_param",
}  # fmt: skip
_PRIOR = "min_size: 30 max_size: 60 aspect_ratio: 2 aspect_ratio: 3 clip: false variance: 0.1 variance: 0.1"


def _several() -> dict[str, Case]:
    shape = (2, 6, 4, 4)
    pieces = Writer().input("data", *shape).layer("cut", "Slice", "data", "a b c")
    pieces.layer("joined", "Eltwise", "a b c", "answer")
    points = Writer().input("data", *shape)
    points.layer("cut", "Slice", "data", "a b c", "slice_param { axis: 1 slice_point: 1 slice_point: 4 }")
    twice = Writer().input("data", *shape).layer("s", "Split", "data", "a b").layer("r", "ReLU", "a", "a")
    twice.layer("e", "Eltwise", "a b", "answer").layer("z", "Silence", "b", "")
    in_place = (
        Writer()
        .input("data", *shape)
        .layer("r", "ReLU", "data", "data")
        .layer("p", "Power", "data", "data", "power_param { scale: 3 }")
    )
    in_place.layer("s", "Sigmoid", "data", "answer").layer("t", "TanH", "data", "other")
    return {
        "Slice into equal pieces": Case("Slice", pieces), "Slice at points": Case("Slice", points),
        "Split, and Silence": Case("Split", twice), "Silence": Case("Silence", twice),
        "ReLU in place, then two readers": Case("ReLU", in_place),
    }  # fmt: skip


CASES: dict[str, Case] = {
    "Convolution with groups and a stride": one(
        "Convolution", "num_output: 6 kernel_size: 3 pad: 1 stride: 2 group: 2", n(6, 2, 3, 3), n(6)),
    "Convolution with a kernel that is no square": one(
        "Convolution", "num_output: 6 kernel_h: 3 kernel_w: 2 pad_h: 1 pad_w: 0 stride_h: 1 stride_w: 2 dilation: 2 "
        "bias_term: false", n(6, 4, 3, 2)),
    "Deconvolution with groups": one(
        "Deconvolution", "num_output: 6 kernel_size: 4 pad: 1 stride: 2 group: 2", n(4, 3, 4, 4), n(6)),
    "Deconvolution, each channel alone": one(
        "Deconvolution", "num_output: 4 kernel_size: 4 pad: 1 stride: 2 group: 4 bias_term: false", n(4, 1, 4, 4)),
    "Pooling, the largest": one("Pooling", "kernel_size: 3 stride: 2"),
    "Pooling, the largest, padded": one("Pooling", "kernel_size: 3 stride: 2 pad: 1"),
    "Pooling, the average": one("Pooling", "pool: AVE kernel_size: 3 stride: 2"),
    "Pooling, the average, padded": one("Pooling", "pool: AVE kernel_h: 3 kernel_w: 2 stride: 2 pad_h: 1 pad_w: 1"),
    "Pooling of the whole image": one("Pooling", "pool: AVE global_pooling: true"),
    "Pooling of the whole image, the largest": one("Pooling", "pool: MAX global_pooling: true"),
    "InnerProduct": one("InnerProduct", "num_output: 5", n(5, 168), n(5)),
    "InnerProduct from axis 2": one("InnerProduct", "num_output: 5 axis: 2", n(5, 42), n(5)),
    "ReLU": one("ReLU"), "ReLU with a slope": one("ReLU", "negative_slope: 0.1"),
    "PReLU": one("PReLU", "", n(4)), "PReLU, one slope": one("PReLU", "channel_shared: true", n(1)),
    "Sigmoid": one("Sigmoid"), "TanH": one("TanH"), "AbsVal": one("AbsVal"), "BNLL": one("BNLL"),
    "ELU": one("ELU"), "ELU with alpha": one("ELU", "alpha: 0.5"),
    "Power": one("Power", "power: 2 scale: 0.5 shift: 1"), "Power without a power": one("Power", "scale: 0.5 shift: 1"),
    "Exp": one("Exp"), "Exp with a base": one("Exp", "base: 2 scale: 0.5 shift: 1"), "Log": one("Log"),
    "Threshold": one("Threshold", "threshold: 0.5"), "Dropout": one("Dropout", "dropout_ratio: 0.5"),
    "LRN across channels": one("LRN", "local_size: 5 alpha: 1 beta: 0.75", shape=(2, 9, 3, 3)),
    "LRN within a channel": one("LRN", "local_size: 3 alpha: 0.3 beta: 0.75 norm_region: WITHIN_CHANNEL"),
    "BatchNorm": one("BatchNorm", "", n(4), abs(n(4)), np.array([3], np.float32)),
    "BatchNorm whose factor is 0": one("BatchNorm", "eps: 0.01", n(4), abs(n(4)), np.array([0], np.float32)),
    "Scale": one("Scale", "bias_term: true", n(4), n(4)), "Scale without terms": one("Scale", "", n(4)),
    "Scale of two axes": one("Scale", "axis: 2 num_axes: 2 bias_term: true", n(7, 6), n(7, 6)),
    "Scale of all axes": one("Scale", "axis: 1 num_axes: -1", n(4, 7, 6)),
    "Scale by a second blob": one("Scale", "axis: 0", more=((2, 4),)),
    "Bias": one("Bias", "", n(4)), "Bias by a second blob": one("Bias", "axis: 0", more=((2, 4),)),
    "Eltwise, a weighted sum": one("Eltwise", "operation: SUM coeff: 0.5 coeff: -2", more=(SHAPE,)),
    "Eltwise, a sum of three": one("Eltwise", "", more=(SHAPE, SHAPE)),
    "Eltwise, the product": one("Eltwise", "operation: PROD", more=(SHAPE, SHAPE)),
    "Eltwise, the largest": one("Eltwise", "operation: MAX", more=(SHAPE,)),
    "Concat of channels": one("Concat", "", more=((2, 3, 7, 6),)),
    "Concat of rows": one("Concat", "axis: 2", more=((2, 4, 3, 6),)),
    "Flatten": one("Flatten"), "Flatten from axis 2": one("Flatten", "axis: 2"),
    "Flatten of two axes": one("Flatten", "axis: 1 end_axis: 2"),
    "Reshape": one("Reshape", "shape { dim: 0 dim: -1 dim: 6 }"),
    "Reshape of some axes": one("Reshape", "shape { dim: 2 dim: 14 } axis: 1 num_axes: 2"),
    "Permute": one("Permute", "order: 0 order: 2 order: 3 order: 1"),
    "Softmax": one("Softmax"), "Softmax along the last axis": one("Softmax", "axis: -1"),
    "Crop": one("Crop", "axis: 2 offset: 1 offset: 2", more=((2, 4, 4, 3),)),
    "Crop, one offset": one("Crop", "axis: 2 offset: 1", more=((2, 4, 4, 3),)),
    "Normalize by place": one("Normalize", "across_spatial: false channel_shared: false", n(4)),
    "Normalize by image": one("Normalize", "", n(1)),
    "MVN": one("MVN"), "MVN across channels": one("MVN", "across_channels: true"),
    "MVN, the mean alone": one("MVN", "normalize_variance: false"),
    "Reduction, the mean": one("Reduction", "axis: 1 operation: MEAN coeff: 2"),
    "Reduction, the sum": one("Reduction", "axis: 2 operation: SUM"),
    "Reduction, magnitudes": one("Reduction", "axis: 2 operation: ASUM"),
    "Reduction, squares": one("Reduction", "axis: -1 operation: SUMSQ"),
    "Tile": one("Tile", "axis: 2 tiles: 3"),
    "ArgMax": one("ArgMax"), "ArgMax along an axis": one("ArgMax", "axis: 1"),
    "ArgMax, the three largest": one("ArgMax", "top_k: 3 out_max_val: true"),
    "ArgMax, numbers": one("ArgMax", "axis: 2 top_k: 2 out_max_val: true"),
    "PriorBox": one("PriorBox", f"{_PRIOR} variance: 0.2 variance: 0.2 step: 8", more=((2, 3, 64, 48),)),
    "PriorBox, clipped": one("PriorBox", "min_size: 30 flip: false aspect_ratio: 2 clip: true variance: 0.1",
                             more=((2, 3, 64, 48),)),
    **_several(),
}  # fmt: skip


def _detector(more: str = "", shared: bool = True, code: str = "CENTER_SIZE", images: int = 2) -> Case:
    """Random boxes on 24 priors, three classes."""
    places = 24 * 4 * (1 if shared else 3)
    net = Writer().input("places", images, places).input("numbers", images, 72).input("map", images, 2, 3, 4)
    net.input("image", images, 3, 30, 40)
    net.layer("near", "Power", "places", "near", "power_param { scale: 0.3 }")
    net.layer("rows", "Reshape", "numbers", "rows", "reshape_param { shape { dim: 0 dim: 24 dim: 3 } }")
    net.layer("shares", "Softmax", "rows", "shares", "softmax_param { axis: 2 }")
    net.layer("flat", "Flatten", "shares", "flat")
    net.layer(
        "priors",
        "PriorBox",
        "map image",
        "priors",
        "prior_box_param { min_size: 8 max_size: 14 clip: true variance: 0.1 }",
    )
    text = (
        f"num_classes: 3 background_label_id: 0 share_location: {str(shared).lower()} code_type: {code} {more} "
        "nms_param { nms_threshold: 0.3 top_k: 15 } keep_top_k: 12 confidence_threshold: 0.2"
    )
    net.layer("tested", "DetectionOutput", "near flat priors", "boxes", f"detection_output_param {{ {text} }}")
    return Case("DetectionOutput", net)


CASES["DetectionOutput"] = _detector()
CASES["DetectionOutput, boxes by class"] = _detector(shared=False)
CASES["DetectionOutput, corners"] = _detector(code="CORNER")

REFUSED: dict[str, tuple[Case, str]] = {
    "a type that nobody knows": (one("RoiAlign"), "is of a type that has no converter"),
    "a layer that reads files": (one("ImageData"), "replace it by a layer of the type Input"),
    "a loss": (one("SoftmaxWithLoss"), "belongs to training"),
    "Pooling at random": (one("Pooling", "pool: STOCHASTIC kernel_size: 2"), "at random"),
    "Pooling with round_mode": (one("Pooling", "kernel_size: 2 round_mode: FLOOR"), "sets round_mode"),
    "a transposed InnerProduct": (one("InnerProduct", "num_output: 5 transpose: true", n(168, 5), n(5)), "transposed"),
    "InnerProduct of a batch": (one("InnerProduct", "num_output: 5 axis: 0", n(5, 336), n(5)), "axis 0"),
    "LRN with a k": (one("LRN", "local_size: 3 k: 2"), "a k other than 1"),
    "LRN of an even size": (one("LRN", "local_size: 4"), "even local_size"),
    "Log with a base": (one("Log", "base: 2"), "a base, a scale or a shift"),
    "MVN with a large eps": (one("MVN", "eps: 0.5"), "a large eps"),
    "BatchNorm of the batch at hand": (one("BatchNorm", "use_global_stats: false", n(4), abs(n(4)), n(1)), "at hand"),
    "Deconvolution with dilation": (
        one("Deconvolution", "num_output: 4 kernel_size: 3 dilation: 2", n(4, 4, 3, 3), n(4)), "with dilation"),
    "Deconvolution with a pad as large as its kernel": (
        one("Deconvolution", "num_output: 4 kernel_size: 1 pad: 1", n(4, 4, 1, 1), n(4)), "put a Crop behind it"),
    "Concat by concat_dim": (one("Concat", "concat_dim: 2", more=((2, 4, 3, 6),)), "concat_dim"),
    "PriorBox without clip": (one("PriorBox", "min_size: 3 variance: 0.1", more=((2, 3, 9, 9),)), "lacks clip"),
    "PriorBox without variance": (one("PriorBox", "min_size: 3 clip: true", more=((2, 3, 9, 9),)), "lacks variance"),
    "a Reshape that sizes the batch": (one("Reshape", "shape { dim: 2 dim: -1 }"), "write 0 there"),
    "DetectionOutput with variances in the answers": (
        _detector("variance_encoded_in_target: true"), "variance_encoded_in_target"),
    "DetectionOutput with boxes in pixels": (_detector("normalized_bbox: false"), "normalized_bbox"),
    "a field that nobody knows": (one("ReLU", "slope_of_joy: 2"), "slope_of_joy"),
}  # fmt: skip
