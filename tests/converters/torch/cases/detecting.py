"""Detectors of torchvision and their parts: sizes, counts and classes that only the image decides."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torchvision
from torch import nn
from torchvision.models.detection import FCOS, FasterRCNN, KeypointRCNN, RetinaNet, transform
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.keypoint_rcnn import KeypointRCNNHeads, KeypointRCNNPredictor
from torchvision.models.detection.ssd import SSD, SSDHead

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

    def __init__(self, width=8):
        super().__init__()
        self.out_channels = width
        self.first, self.second = nn.Conv2d(3, width, 3, 4, 1), nn.Conv2d(width, width, 3, 2, 1)

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


_OWN = torch.Generator().manual_seed(5)
_FIRST, *_PICTURES = [[torch.randn(3, *size, generator=_OWN)] for size in ((40, 56), (56, 40), (33, 90))]
_SIDES = {"min_size": 48, "max_size": 80, "size_divisible": 8}
_FEW = {"score_thresh": 0.3, "topk_candidates": 20, "detections_per_img": 10}


class OneStage(nn.Module):
    """A detector whose heads classify every place of every map."""

    def __init__(self, network, *more):
        super().__init__()
        self.network, self.names = network, ("boxes", "scores", "labels", *more)

    def forward(self, image):
        found = self.network([image])[0]
        return tuple(found[name] for name in self.names)


def _spread(*layers, by=0.3):
    for layer in layers:
        nn.init.normal_(layer.weight, 0, by)


@case(_FIRST, [_PICTURE], _PICTURES)
class retinanet_of_two_maps(OneStage):
    def __init__(self):
        anchors = AnchorGenerator(((8, 16), (32, 48)), ((0.5, 2.0),) * 2)
        network = RetinaNet(Two(), 4, anchor_generator=anchors, **_SIDES, **_FEW)
        _spread(network.head.classification_head.cls_logits)
        super().__init__(network)


@case(_FIRST, [_PICTURE], _PICTURES)
class fcos_of_two_maps(OneStage):
    def __init__(self):
        network = FCOS(Two(64), 4, anchor_generator=AnchorGenerator(((8,), (16,)), ((1.0,),) * 2), **_SIDES, **_FEW)
        _spread(network.head.classification_head.cls_logits, network.head.regression_head.bbox_ctrness)
        super().__init__(network)


@case(_FIRST, [_PICTURE], _PICTURES)
class ssd_of_two_maps(OneStage):
    def __init__(self):
        anchors = DefaultBoxGenerator([[2], [2, 3]], scales=[0.2, 0.5, 0.9])
        super().__init__(SSD(Two(), anchors, (64, 64), 4, head=SSDHead([8, 8], [4, 6], 4), **_FEW))
        _spread(*self.network.head.classification_head.module_list, by=0.05)


@case(_FIRST, [_PICTURE], _PICTURES, refused="a loop over the boxes.*keypointrcnn_inference")
class keypoints_of_two_maps(OneStage):
    def __init__(self):
        anchors = AnchorGenerator(((8, 16), (32, 48)), ((0.5, 2.0),) * 2)
        pools = [torchvision.ops.MultiScaleRoIAlign(["0", "1"], size, 2) for size in (3, 4)]
        few = {"rpn_post_nms_top_n_test": 8, "rpn_pre_nms_top_n_test": 40, "box_score_thresh": 0.3}
        heads = {"keypoint_head": KeypointRCNNHeads(8, (8,)), "keypoint_predictor": KeypointRCNNPredictor(8, 3)}
        pooled = {"box_roi_pool": pools[0], "keypoint_roi_pool": pools[1]}
        network = KeypointRCNN(
            Two(), 2, rpn_anchor_generator=anchors, num_keypoints=None, **pooled, **heads, **few, **_SIDES
        )
        _spread(network.rpn.head.cls_logits, network.roi_heads.box_predictor.cls_score)
        super().__init__(network, "keypoints", "keypoints_scores")
