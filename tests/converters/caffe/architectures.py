"""The classical nets of Caffe, layer for layer as their papers' prototxts have them, with weights made here.

`width`: the share of the channels, so that tests are fast; 1 is the net itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.converters.caffe.writer import Writer

Array = np.ndarray[Any, Any]


@dataclass
class Builder:
    """Adds layers with weights of the size that keeps numbers in range; knows the channels of each blob."""

    writer: Writer
    width: float
    channels: dict[str, int] = field(default_factory=dict)
    first: float = 1.0
    """What the filters of the first layer are multiplied by: less than 1 for pixels, which are large."""
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(16))

    def of(self, count: int) -> int:
        """The channels at this width, a multiple of 4."""
        return max(4, round(count * self.width / 4) * 4)

    def normal(self, *shape: int, inputs: int) -> Array:
        return (self.random.standard_normal(shape, np.float32) * np.float32((2 / inputs) ** 0.5)).astype(np.float32)

    def conv(
        self,
        name: str,
        bottom: str,
        count: int,
        kernel: int,
        more: str = "",
        group: int = 1,
        bias: bool = True,
        relu: bool = True,
        top: str = "",
    ) -> str:
        """A convolution of exactly `count` outputs, and a ReLU in place."""
        top, inside = top or name, self.channels[bottom] // group
        blobs = [self.normal(count, inside, kernel, kernel, inputs=inside * kernel * kernel)]
        if bottom == "data":
            blobs[0] *= np.float32(self.first)
        if bias:
            blobs.append(self.random.standard_normal(count, np.float32) * np.float32(0.1))
        text = f"num_output: {count} kernel_size: {kernel} group: {group} bias_term: {str(bias).lower()} {more}"
        self.writer.layer(name, "Convolution", bottom, top, f"convolution_param {{ {text} }}", tuple(blobs))
        self.channels[top] = count
        return self.relu(top, f"relu_{name}") if relu else top

    def relu(self, blob: str, name: str) -> str:
        self.writer.layer(name, "ReLU", blob, blob)
        return blob

    def pool(self, name: str, bottom: str, kernel: int, stride: int, how: str = "MAX", pad: int = 0) -> str:
        text = f"pool: {how} kernel_size: {kernel} stride: {stride} pad: {pad}"
        self.writer.layer(name, "Pooling", bottom, name, f"pooling_param {{ {text} }}")
        self.channels[name] = self.channels[bottom]
        return name

    def lrn(self, name: str, bottom: str) -> str:
        self.writer.layer(name, "LRN", bottom, name, "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }")
        self.channels[name] = self.channels[bottom]
        return name

    def dense(self, name: str, bottom: str, inputs: int, count: int, relu: bool = True) -> str:
        blobs = (self.normal(count, inputs, inputs=inputs), np.zeros(count, np.float32))
        self.writer.layer(name, "InnerProduct", bottom, name, f"inner_product_param {{ num_output: {count} }}", blobs)
        if relu:
            self.relu(name, f"relu_{name}")
            self.writer.layer(f"drop_{name}", "Dropout", name, name, "dropout_param { dropout_ratio: 0.5 }")
        return name

    def norm(self, name: str, blob: str) -> None:
        """BatchNorm and Scale, both in place."""
        count = self.channels[blob]
        factor = np.float32(999.98)
        means = self.random.standard_normal(count).astype(np.float32) * np.float32(0.1) * factor
        spreads = (self.random.random(count).astype(np.float32) + np.float32(0.5)) * factor
        self.writer.layer(
            f"bn{name}",
            "BatchNorm",
            blob,
            blob,
            "batch_norm_param { use_global_stats: true }",
            (means, spreads, np.array([factor])),
        )
        scales = self.random.random(count).astype(np.float32) + np.float32(0.2), self.normal(count, inputs=200)
        self.writer.layer(f"scale{name}", "Scale", blob, blob, "scale_param { bias_term: true }", scales)


def _begun(name: str, size: int, width: float, old: bool = False) -> Builder:
    return Builder(Writer(name, old).input("data", 1, 3, size, size), width, {"data": 3})


def alexnet(width: float = 1.0, size: int = 227, classes: int = 1000) -> Writer:
    """AlexNet: groups, LRN, overlapping pooling."""
    b = _begun("AlexNet", size, width)
    x = b.lrn("norm1", b.conv("conv1", "data", b.of(96), 11, "stride: 4"))
    x = b.conv("conv2", b.pool("pool1", x, 3, 2), b.of(256), 5, "pad: 2", group=2)
    x = b.pool("pool2", b.lrn("norm2", x), 3, 2)
    x = b.conv("conv3", x, b.of(384), 3, "pad: 1")
    x = b.conv("conv4", x, b.of(384), 3, "pad: 1", group=2)
    x = b.conv("conv5", x, b.of(256), 3, "pad: 1", group=2)
    x = b.pool("pool5", x, 3, 2)
    side = (size - 11) // 4 + 1
    for _ in range(3):
        side = -(-(side - 3) // 2) + 1
    x = b.dense("fc6", x, b.of(256) * side * side, b.of(4096))
    x = b.dense("fc8", b.dense("fc7", x, b.of(4096), b.of(4096)), b.of(4096), classes, relu=False)
    return b.writer.layer("prob", "Softmax", x, "prob")


def _vgg(b: Builder, blocks: tuple[tuple[int, int], ...], last: tuple[int, int, int] = (2, 2, 0)) -> str:
    x = "data"
    for at, (count, times) in enumerate(blocks, 1):
        for n in range(1, times + 1):
            x = b.conv(f"conv{at}_{n}", x, b.of(count), 3, "pad: 1")
        kernel, stride, pad = last if at == len(blocks) else (2, 2, 0)
        x = b.pool(f"pool{at}", x, kernel, stride, pad=pad)
    return x


VGG = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def vgg16(width: float = 1.0, size: int = 224, classes: int = 1000) -> Writer:
    """VGG-16."""
    b = _begun("VGG_16", size, width)
    x = _vgg(b, VGG)
    x = b.dense("fc6", x, b.of(512) * (size // 32) ** 2, b.of(4096))
    x = b.dense("fc8", b.dense("fc7", x, b.of(4096), b.of(4096)), b.of(4096), classes, relu=False)
    return b.writer.layer("prob", "Softmax", x, "prob")


INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64), "4b": (160, 112, 224, 24, 64, 64), "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64), "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128), "5b": (384, 192, 384, 48, 128, 128),
}  # fmt: skip


def googlenet(width: float = 1.0, size: int = 224, classes: int = 1000) -> Writer:
    """GoogLeNet: nine inceptions, each of four branches that are joined."""
    b = _begun("GoogleNet", size, width)
    x = b.pool("pool1", b.conv("conv1", "data", b.of(64), 7, "pad: 3 stride: 2"), 3, 2)
    x = b.conv("conv2_reduce", b.lrn("pool1_norm1", x), b.of(64), 1)
    x = b.pool("pool2", b.lrn("conv2_norm2", b.conv("conv2", x, b.of(192), 3, "pad: 1")), 3, 2)
    for name, counts in INCEPTIONS.items():
        x = _inception(b, f"inception_{name}", x, *map(b.of, counts))
        if name in ("3b", "4e"):
            x = b.pool(f"pool_{name}", x, 3, 2)
    b.writer.layer("pool5", "Pooling", x, "pool5", "pooling_param { pool: AVE global_pooling: true }")
    b.writer.layer("pool5_drop", "Dropout", "pool5", "pool5", "dropout_param { dropout_ratio: 0.4 }")
    x = b.dense("loss3", "pool5", b.channels[x], classes, relu=False)
    return b.writer.layer("prob", "Softmax", x, "prob")


def _inception(b: Builder, name: str, x: str, one: int, low3: int, three: int, low5: int, five: int, last: int) -> str:
    branches = [
        b.conv(f"{name}_1x1", x, one, 1),
        b.conv(f"{name}_3x3", b.conv(f"{name}_3x3_reduce", x, low3, 1), three, 3, "pad: 1"),
        b.conv(f"{name}_5x5", b.conv(f"{name}_5x5_reduce", x, low5, 1), five, 5, "pad: 2"),
        b.conv(f"{name}_pool_proj", b.pool(f"{name}_pool", x, 3, 1, pad=1), last, 1),
    ]
    b.writer.layer(f"{name}_output", "Concat", " ".join(branches), f"{name}_output")
    b.channels[f"{name}_output"] = one + three + five + last
    return f"{name}_output"


def resnet50(width: float = 1.0, size: int = 224, classes: int = 1000) -> Writer:
    """ResNet-50: BatchNorm with a Scale behind it, and sums."""
    b = _begun("ResNet-50", size, width)
    x = b.conv("conv1", "data", b.of(64), 7, "pad: 3 stride: 2", relu=False)
    b.norm("_conv1", x)
    x = b.pool("pool1", b.relu(x, "conv1_relu"), 3, 2)
    for stage, (count, times) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), 2):
        for at in range(times):
            stride = 2 if stage > 2 and at == 0 else 1
            x = _bottleneck(b, f"{stage}{'abcdef'[at]}", x, b.of(count), stride, at == 0)
    b.writer.layer("pool5", "Pooling", x, "pool5", f"pooling_param {{ pool: AVE kernel_size: {size // 32} stride: 1 }}")
    x = b.dense("fc1000", "pool5", b.channels[x], classes, relu=False)
    return b.writer.layer("prob", "Softmax", x, "prob")


def _bottleneck(b: Builder, name: str, x: str, count: int, stride: int, first: bool) -> str:
    side = x
    if first:
        side = b.conv(f"res{name}_branch1", x, 4 * count, 1, f"stride: {stride}", bias=False, relu=False)
        b.norm(f"{name}_branch1", side)
    for part, (kernel, outputs, more) in zip(
        "abc", ((1, count, f"stride: {stride}"), (3, count, "pad: 1"), (1, 4 * count, ""))
    ):
        x = b.conv(f"res{name}_branch2{part}", x, outputs, kernel, more, bias=False, relu=False)
        b.norm(f"{name}_branch2{part}", x)
        if part != "c":
            b.relu(x, f"res{name}_branch2{part}_relu")
    b.writer.layer(f"res{name}", "Eltwise", f"{side} {x}", f"res{name}")
    b.channels[f"res{name}"] = 4 * count
    return b.relu(f"res{name}", f"res{name}_relu")


SIZES = {"conv4_3_norm": (30, 60), "fc7": (60, 111), "conv6_2": (111, 162), "conv7_2": (162, 213),
         "conv8_2": (213, 264), "conv9_2": (264, 315)}  # fmt: skip


def ssd300(width: float = 1.0, size: int = 300, classes: int = 21) -> Writer:
    """SSD-300 on VGG: a dilated convolution, Normalize, six heads with prior boxes, and the boxes that remain."""
    b = _begun("VGG_VOC0712_SSD_300x300_deploy", size, width)
    b.first = 1 / 60
    x = _vgg(b, VGG, last=(3, 1, 1))
    x = b.conv("fc7", b.conv("fc6", x, b.of(1024), 3, "pad: 6 dilation: 6"), b.of(1024), 1)
    tails = ((6, 256, 512, "pad: 1 stride: 2"), (7, 128, 256, "pad: 1 stride: 2"), (8, 128, 256, ""), (9, 128, 256, ""))
    for at, low, count, more in tails:
        x = b.conv(f"conv{at}_2", b.conv(f"conv{at}_1", x, b.of(low), 1), b.of(count), 3, more)
    scales = np.full(b.of(512), 20, np.float32)
    b.writer.layer(
        "conv4_3_norm",
        "Normalize",
        "conv4_3",
        "conv4_3_norm",
        "norm_param { across_spatial: false channel_shared: false }",
        (scales,),
    )
    b.channels["conv4_3_norm"] = b.of(512)
    steps = dict(zip(SIZES, (8, 16, 32, 64, 100, 300)))
    for blob, (low, high) in SIZES.items():
        _head(b, blob, low * size / 300, high * size / 300, steps[blob], classes)
    for kind, axis in (("loc", 1), ("conf", 1), ("priorbox", 2)):
        parts = " ".join(f"{blob}_mbox_{kind}{'' if kind == 'priorbox' else '_flat'}" for blob in SIZES)
        b.writer.layer(f"mbox_{kind}", "Concat", parts, f"mbox_{kind}", f"concat_param {{ axis: {axis} }}")
    w = b.writer.layer(
        "mbox_conf_reshape",
        "Reshape",
        "mbox_conf",
        "mbox_conf_reshape",
        f"reshape_param {{ shape {{ dim: 0 dim: -1 dim: {classes} }} }}",
    )
    w.layer("mbox_conf_softmax", "Softmax", "mbox_conf_reshape", "mbox_conf_softmax", "softmax_param { axis: 2 }")
    w.layer("mbox_conf_flatten", "Flatten", "mbox_conf_softmax", "mbox_conf_flatten", "flatten_param { axis: 1 }")
    text = (
        f"num_classes: {classes} share_location: true background_label_id: 0 code_type: CENTER_SIZE "
        "nms_param { nms_threshold: 0.45 top_k: 400 } keep_top_k: 200 confidence_threshold: 0.01"
    )
    return w.layer(
        "detection_out",
        "DetectionOutput",
        "mbox_loc mbox_conf_flatten mbox_priorbox",
        "detection_out",
        f"detection_output_param {{ {text} }}",
    )


def _head(b: Builder, blob: str, low: float, high: float, step: int, classes: int) -> None:
    """Where boxes are, what they hold, and the boxes that they start from."""
    ratios = (2,) if blob in ("conv4_3_norm", "conv8_2", "conv9_2") else (2, 3)
    priors = 2 + 2 * len(ratios)
    for kind, count in (("loc", 4), ("conf", classes)):
        top = f"{blob}_mbox_{kind}"
        _answers(b, top, blob, priors, count, 7.5 if kind == "conf" else 0.0)
        b.writer.layer(
            f"{top}_perm", "Permute", top, f"{top}_perm", "permute_param { order: 0 order: 2 order: 3 order: 1 }"
        )
        b.writer.layer(f"{top}_flat", "Flatten", f"{top}_perm", f"{top}_flat", "flatten_param { axis: 1 }")
    text = (
        f"min_size: {low} max_size: {high} {' '.join(f'aspect_ratio: {r}' for r in ratios)} flip: true clip: false "
        f"variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 step: {step} offset: 0.5"
    )
    name = f"{blob}_mbox_priorbox"
    b.writer.layer(name, "PriorBox", f"{blob} data", name, f"prior_box_param {{ {text} }}")


ARCHITECTURES = {
    "AlexNet": alexnet, "VGG-16": vgg16, "GoogLeNet": googlenet, "ResNet-50": resnet50, "SSD-300": ssd300,
}  # fmt: skip


def _answers(b: Builder, name: str, bottom: str, priors: int, count: int, sure: float) -> None:
    """A head's convolution: as in a trained net, numbers are small, and `sure` of the first class (the background), so
    that few boxes are left over, and none of an image without anything in it."""
    inside = b.channels[bottom]
    filters = b.normal(priors * count, inside, 3, 3, inputs=inside * 9) * np.float32(0.6 if sure else 0.5)
    if bottom == "conv4_3_norm":
        filters *= np.float32(0.06)
    biases = np.zeros(priors * count, np.float32)
    biases[::count] = sure
    text = f"convolution_param {{ num_output: {priors * count} kernel_size: 3 pad: 1 }}"
    b.writer.layer(name, "Convolution", bottom, name, text, (filters, biases))
    b.channels[name] = priors * count
