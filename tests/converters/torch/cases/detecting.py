"""Detectors of torchvision and their parts: sizes, counts and classes that only the image decides."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torchvision
from torch import nn
from torchvision.models.detection import FasterRCNN, transform
from torchvision.models.detection.anchor_utils import AnchorGenerator

from .case import BATCH, case, normal, whole


def _boxes(count, side=40.0):
    corner = normal(count, 2).abs() * side / 3
    return torch.cat([corner, corner + 1 + normal(count, 2).abs() * side / 4], 1)


_SCORED = [
    (_boxes(n, side), normal(n).sigmoid(), whole(0, 4, n)) for n, side in ((9, 40), (0, 40), (1, 40), (2600, 400))
]
_PICTURE = {1: "height", 2: "width"}


@case(_SCORED[0], [BATCH, BATCH, BATCH], [*_SCORED[1:], (*_SCORED[0][:2], torch.zeros(9, dtype=torch.int64))])
class suppressed_by_class(nn.Module):
    def forward(self, boxes, scores, classes):
        sure = scores > 0.6
        boxes, scores, classes = boxes[sure], scores[sure], classes[sure]
        kept = torchvision.ops.batched_nms(boxes, scores, classes, 0.4)
        return kept, boxes[kept[:3]]


@case(
    [normal(3, 20, 31)], [_PICTURE], [[normal(3, 31, 20)], [normal(3, 50, 50)], [normal(3, 9, 70)], [normal(3, 1, 4)]]
)
class resized_as_for_detectors(nn.Module):
    def __init__(self):
        super().__init__()
        self.transform = transform.GeneralizedRCNNTransform(24, 40, [0.1, 0.2, 0.3], [0.9, 0.8, 0.7], size_divisible=8)

    def forward(self, image):
        images, _ = self.transform([image])
        found = [{"boxes": torch.tensor([[1.0, 2.0, 9.0, 8.0]])}]
        return images.tensors, self.transform.postprocess(found, images.image_sizes, [tuple(image.shape[-2:])])[0][
            "boxes"
        ]


@case(
    [normal(5, 1, 7, 7).sigmoid(), _boxes(5) - 1, normal(30, 36)],
    [{0: "found"}, {0: "found"}, {0: "height", 1: "width"}],
    [[normal(n, 1, 7, 7).sigmoid(), _boxes(n) - 1, normal(17, 60)] for n in (1, 8, 0)],
)
class masks_in_their_boxes(nn.Module):
    def forward(self, masks, boxes, image):
        return transform.paste_masks_in_image(masks, boxes, tuple(image.shape))


class Two(nn.Module):
    """Two maps of an image, the second half as large."""

    out_channels = 8

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, 4, 1), nn.Conv2d(8, 8, 3, 2, 1)

    def forward(self, x):
        first = self.first(x).relu()
        return OrderedDict([("0", first), ("1", self.second(first).relu())])


@case(
    [normal(3, 40, 56)],
    [_PICTURE],
    [[normal(3, 56, 40)], [normal(3, 33, 90)], [torch.full((3, 40, 56), torch.nan)]],
)
class detector_of_two_maps(nn.Module):
    def __init__(self):
        super().__init__()
        pool = torchvision.ops.MultiScaleRoIAlign(["0", "1"], 3, 2)
        anchors = AnchorGenerator(((8, 16), (32, 48)), ((0.5, 2.0),) * 2)
        sizes = {
            "min_size": 48,
            "max_size": 80,
            "rpn_post_nms_top_n_test": 12,
            "rpn_pre_nms_top_n_test": 40,
            "size_divisible": 8,
        }
        network = FasterRCNN(Two(), 4, rpn_anchor_generator=anchors, box_roi_pool=pool, box_score_thresh=0.3, **sizes)
        nn.init.normal_(network.rpn.head.cls_logits.weight, 0, 0.5)
        nn.init.normal_(network.roi_heads.box_predictor.cls_score.weight, 0, 0.3)
        self.network = network

    def forward(self, image):
        found = self.network([image])[0]
        return found["boxes"], found["scores"], found["labels"]
