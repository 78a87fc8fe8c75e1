"""Detectors: boxes out of a picture. A network of the YOLO family written here, and those of torchvision."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from pictures import seeded, settled
from system import System, normal, whole
from torch import nn

STRIDES = (8, 16, 32)
ANCHORS = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
"""Widths and heights in pixels, by scale."""
CLASSES = 80
SPREAD, OBJECTNESS = 0.06, -4.0
"""Of the random weights: few places are sure of an object, as in a network that was trained."""


class Conv(nn.Sequential):
    """Convolution, normalisation, SiLU."""

    def __init__(self, inside: int, outside: int, size: int = 1, stride: int = 1) -> None:
        convolution = nn.Conv2d(inside, outside, size, stride, size // 2, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(outside), nn.SiLU())


class Bottleneck(nn.Module):
    def __init__(self, width: int, residual: bool) -> None:
        super().__init__()
        self.steps = nn.Sequential(Conv(width, width), Conv(width, width, 3))
        self.residual = residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.steps(x) if self.residual else self.steps(x)


class CrossStage(nn.Module):
    """Half of the channels go through bottlenecks, half past them (C3)."""

    def __init__(self, inside: int, outside: int, depth: int = 1, residual: bool = True) -> None:
        super().__init__()
        half = outside // 2
        self.through = nn.Sequential(Conv(inside, half), *(Bottleneck(half, residual) for _ in range(depth)))
        self.past, self.join = Conv(inside, half), Conv(outside, outside)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.join(torch.cat([self.through(x), self.past(x)], 1))


class Pyramid(nn.Module):
    """Spatial pyramid pooling, one pool after the other (SPPF)."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.narrow, self.join = Conv(inside, inside // 2), Conv(inside * 2, outside)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = [self.narrow(x)]
        for _ in range(3):
            found.append(self.pool(found[-1]))
        return self.join(torch.cat(found, 1))


class Yolo(nn.Module):
    """CSP backbone, path aggregation neck, three anchored heads, boxes and suppression in the graph.

    Takes one picture of 0..255 as bytes, whose sides are multiples of 32; gives its boxes, scores and classes.
    """

    def __init__(self, width: int = 16, depth: int = 1) -> None:
        super().__init__()
        w = width
        self.stem = nn.Sequential(Conv(3, w, 6, 2), Conv(w, 2 * w, 3, 2), CrossStage(2 * w, 2 * w, depth))
        self.low = nn.Sequential(Conv(2 * w, 4 * w, 3, 2), CrossStage(4 * w, 4 * w, 2 * depth))
        self.middle = nn.Sequential(Conv(4 * w, 8 * w, 3, 2), CrossStage(8 * w, 8 * w, 3 * depth))
        high = (Conv(8 * w, 16 * w, 3, 2), CrossStage(16 * w, 16 * w, depth), Pyramid(16 * w, 16 * w))
        self.high = nn.Sequential(*high)
        self.stem[0][0].padding = (2, 2)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.narrow_high, self.mix_middle = Conv(16 * w, 8 * w), CrossStage(16 * w, 8 * w, depth, False)
        self.narrow_middle, self.mix_low = Conv(8 * w, 4 * w), CrossStage(8 * w, 4 * w, depth, False)
        self.down_low, self.join_middle = Conv(4 * w, 4 * w, 3, 2), CrossStage(8 * w, 8 * w, depth, False)
        self.down_middle, self.join_high = Conv(8 * w, 8 * w, 3, 2), CrossStage(16 * w, 16 * w, depth, False)
        self.heads = nn.ModuleList(nn.Conv2d(n * w, 3 * (5 + CLASSES), 1) for n in (4, 8, 16))
        self.register_buffer("anchors", torch.tensor(ANCHORS, dtype=torch.float32))

    def maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        low = self.low(self.stem(x))
        middle = self.middle(low)
        high = self.narrow_high(self.high(middle))
        middle = self.narrow_middle(self.mix_middle(torch.cat([self.up(high), middle], 1)))
        low = self.mix_low(torch.cat([self.up(middle), low], 1))
        middle = self.join_middle(torch.cat([self.down_low(low), middle], 1))
        return [low, middle, self.join_high(torch.cat([self.down_middle(middle), high], 1))]

    def boxes(self, x: torch.Tensor, scale: int) -> torch.Tensor:
        """Centre, size, objectness and classes of every anchor at every place of a map: [pictures, places, 85]."""
        count, _, height, width = x.shape
        x = x.view(count, 3, 5 + CLASSES, height, width).permute(0, 1, 3, 4, 2).sigmoid()
        rows, columns = torch.arange(height, device=x.device), torch.arange(width, device=x.device)
        grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).to(x.dtype)
        centre = (x[..., 0:2] * 2 - 0.5 + grid) * STRIDES[scale]
        size = (x[..., 2:4] * 2) ** 2 * self.anchors[scale].view(1, 3, 1, 1, 2)
        return torch.cat([centre, size, x[..., 4:]], -1).flatten(1, 3)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        from torchvision.ops import box_convert, clip_boxes_to_image, nms

        maps = self.maps(image.to(self.anchors.dtype) / 255)
        found = torch.cat([self.boxes(head(x), i) for i, (head, x) in enumerate(zip(self.heads, maps))], 1)[0]
        scores, classes = (found[:, 4:5] * found[:, 5:]).max(-1)
        sure = scores > 0.25
        height, width = image.shape[2:]
        boxes = clip_boxes_to_image(box_convert(found[sure, :4], "cxcywh", "xyxy"), (height, width))
        scores, classes = scores[sure], classes[sure]
        apart = classes * float(height + width)  # so that boxes of two classes never overlap
        kept = nms(boxes + apart[:, None], scores, 0.45)
        return boxes[kept], scores[kept], classes[kept]


class One(nn.Module):
    """A detector of torchvision for one picture of 0..255 as bytes; `more`: what it gives beside boxes."""

    def __init__(self, detector: nn.Module, *more: str) -> None:
        super().__init__()
        self.detector, self.names = detector, ("boxes", "scores", "labels", *more)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = self.detector([image.to(torch.float32) / 255])[0]
        return tuple(found[name] for name in self.names)


def varied(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures of dots, black ones, white ones, stripes, and ones of all colours, as pixels of 0..1."""
    dots = pictures.abs() * 80 / 255
    plain = torch.zeros_like(dots[:2])
    stripes = plain.clone()
    stripes[..., 1::2] = 1
    return torch.cat([dots, plain, plain + 1, stripes, torch.special.ndtr(pictures[:4])])


def yolo() -> nn.Module:
    network = seeded(Yolo)
    settled(network, lambda pictures: network.maps(varied(pictures)))
    for head in network.heads:
        nn.init.normal_(head.weight, 0, SPREAD)
        nn.init.zeros_(head.bias)
        head.bias.data.view(3, -1)[:, 4] = OBJECTNESS
    return network


def _with_two_stages(name: str, *more: str) -> nn.Module:
    from torchvision.models import detection

    sizes = {"min_size": 128, "max_size": 256, "rpn_post_nms_top_n_test": 50, "rpn_score_thresh": 0.05}
    make = getattr(detection, name)
    network = seeded(make, weights=None, weights_backbone=None, num_classes=11, box_score_thresh=0.2, **sizes)
    settled(network.backbone, lambda pictures: network.backbone(network.transform.normalize(many(pictures))))
    spread(network, network.rpn.head.cls_logits)
    network.rpn.head.cls_logits.bias.data.fill_(OBJECTNESS / 2)
    spread(network, network.roi_heads.box_predictor.cls_score)
    network.roi_heads.box_predictor.cls_score.bias.data[0] = -OBJECTNESS / 2
    return One(network, *more).eval()


def many(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures of many kinds, noise with numbers beyond pixels among them."""
    return torch.cat([varied(pictures), pictures])


def spread(network: nn.Module, layer: nn.Module) -> None:
    """Weights with which the scores of a layer differ by 2 or so: few are sure, as in a network that was trained."""
    seen: list[torch.Tensor] = []
    nn.init.normal_(layer.weight)
    nn.init.zeros_(layer.bias)
    with layer.register_forward_hook(lambda _layer, _given, scores: seen.append(scores)), torch.no_grad():
        network.eval()(list(many(torch.from_numpy(normal(0, 8, 3, 128, 128)))))
    layer.weight.data *= 2 / torch.cat([each.flatten() for each in seen]).std()


def faster_rcnn() -> nn.Module:
    return _with_two_stages("fasterrcnn_mobilenet_v3_large_fpn")


def mask_rcnn() -> nn.Module:
    return _with_two_stages("maskrcnn_resnet50_fpn", "masks")


def keypoint_rcnn() -> nn.Module:
    return _with_two_stages("keypointrcnn_resnet50_fpn", "keypoints", "keypoints_scores")


def _with_one_stage(name: str, classify: Callable[[nn.Module], Iterable[nn.Module]], **sizes: object) -> nn.Module:
    from torchvision.models import detection

    make = getattr(detection, name)
    network = seeded(make, weights=None, weights_backbone=None, num_classes=11, score_thresh=0.3, **sizes)
    settled(network.backbone, lambda pictures: network.backbone(network.transform.normalize(many(pictures))))
    for layer in classify(network):
        spread(network, layer)
        layer.bias.data.fill_(OBJECTNESS / 2)
    return One(network).eval()


def retinanet() -> nn.Module:
    sizes = {"min_size": 128, "max_size": 256, "topk_candidates": 100}
    return _with_one_stage("retinanet_resnet50_fpn", lambda net: [net.head.classification_head.cls_logits], **sizes)


def fcos() -> nn.Module:
    sizes = {"min_size": 128, "max_size": 256, "topk_candidates": 100}
    return _with_one_stage("fcos_resnet50_fpn", lambda net: [net.head.classification_head.cls_logits], **sizes)


def ssd() -> nn.Module:
    return _with_one_stage(
        "ssdlite320_mobilenet_v3_large", lambda net: [each[-1] for each in net.head.classification_head.module_list]
    )


def bytes_of_pixels(rows: int) -> dict[str, object]:
    return {"image": whole(2, 256, 1, 3, 96, 128).astype("uint8")}


def larger(rows: int) -> dict[str, object]:
    return {"image": whole(2, 256, 3, 128, 160).astype("uint8")}


SYSTEMS = (
    System("YOLO-like (v5 n, NMS inside, any size)", yolo, bytes_of_pixels, "image.2:height,image.3:width"),
    System("Faster R-CNN, MobileNetV3 (torchvision)", faster_rcnn, larger, "image.1:height,image.2:width"),
    System("Mask R-CNN, ResNet-50 (torchvision)", mask_rcnn, larger, "image.1:height,image.2:width"),
    System("Keypoint R-CNN, ResNet-50 (torchvision)", keypoint_rcnn, larger, "image.1:height,image.2:width"),
    System("RetinaNet, ResNet-50 (torchvision)", retinanet, larger, "image.1:height,image.2:width"),
    System("FCOS, ResNet-50 (torchvision)", fcos, larger, "image.1:height,image.2:width"),
    System("SSDlite, MobileNetV3 (torchvision)", ssd, larger, "image.1:height,image.2:width"),
)
