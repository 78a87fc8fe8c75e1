"""Networks that see a picture: classes of it, or of each of its pixels. From torchvision and timm."""

from __future__ import annotations

import torch
from system import System, normal
from torch import nn


class Out(nn.Module):
    """The dense map of a network of torchvision that answers with a dict."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)["out"]


def seeded(make: object, **given: object) -> nn.Module:
    """A network with random weights, the same in every run."""
    torch.manual_seed(0)
    return make(**given).eval()


def settled(network: nn.Module, see: object) -> nn.Module:
    """The network with normalisations that fit what they see, as after training: otherwise every picture is one.

    `see`: the part that looks at a batch of pictures.
    """
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    network.train()
    with torch.no_grad():
        see(torch.from_numpy(normal(0, 8, 3, 128, 128)))
    return network.eval()


def classifier(make: object, **given: object) -> nn.Module:
    network = seeded(make, **given)
    return settled(network, network)


def resnet50() -> nn.Module:
    from torchvision import models

    return classifier(models.resnet50, weights=None)


def efficientnet_b0() -> nn.Module:
    from torchvision import models

    return classifier(models.efficientnet_b0, weights=None)


def convnext_tiny() -> nn.Module:
    from torchvision import models

    return seeded(models.convnext_tiny, weights=None)


def vit_small() -> nn.Module:
    import timm

    return seeded(timm.create_model, model_name="vit_small_patch16_224", img_size=64, pretrained=False)


def vit_base() -> nn.Module:
    from torchvision import models

    network = seeded(models.vit_b_16, weights=None, image_size=64)
    nn.init.normal_(network.heads.head.weight, 0, 0.02)  # as made it is 0, and so is every answer
    return network


def deeplab() -> nn.Module:
    from torchvision.models import segmentation

    make = segmentation.deeplabv3_mobilenet_v3_large
    return Out(classifier(make, weights=None, weights_backbone=None, num_classes=21)).eval()


def picture(rows: int) -> dict[str, object]:
    return {"x": normal(1, rows, 3, 64, 64)}


SYSTEMS = (
    System("ResNet-50 (torchvision)", resnet50, picture),
    System("EfficientNet-B0 (torchvision)", efficientnet_b0, picture),
    System("ConvNeXt-T (torchvision)", convnext_tiny, picture),
    System("ViT-S/16 (timm)", vit_small, picture),
    System("ViT-B/16 (torchvision)", vit_base, picture),
    System("DeepLabV3, MobileNetV3 (torchvision)", deeplab, picture, "x.0:batch,x.2:height,x.3:width"),
)
