"""The detector: a module from the pixels of a picture of any size to boxes, labels and scores.

Resizing, normalising, the network and the suppression of boxes that overlap are all in it, so nobody has to write them
again in Java or C++.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import nms

LABELS = ("square", "disc", "triangle")
SIDE, CELLS = 96, 12
LEAST_SCORE, OVERLAP = 0.5, 0.3


class Detector(nn.Module):
    """Boxes (x1, y1, x2, y2 in the picture's own pixels), labels and scores of a picture `[3, height, width]`."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 16, 32, 48)
        layers: list[nn.Module] = []
        for before, after in zip(widths, widths[1:]):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        layers += [nn.Conv2d(48, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU()]
        layers += [nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 5 + len(LABELS), 1)]
        self.network = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1))
        place = torch.arange(CELLS, dtype=torch.float32)
        self.register_buffer("cells", torch.stack(torch.meshgrid(place, place, indexing="xy"), -1).view(-1, 2))

    def normalised(self, images: Tensor) -> Tensor:
        """Pixels as the network takes them, `[n, 3, 96, 96]`."""
        scaled = F.interpolate(images.float() / 255, (SIDE, SIDE), mode="bilinear", align_corners=False)
        return (scaled - self.mean) / self.deviation

    def cells_of(self, images: Tensor) -> Tensor:
        """What each cell of the grid says, `[n, 144, 8]`: whether something is there, its box, its label."""
        return self.network(self.normalised(images)).flatten(2).transpose(1, 2)

    def boxes_of(self, cells: Tensor) -> Tensor:
        """Boxes from 0 to 1."""
        centre = (self.cells + cells[..., 1:3].sigmoid()) / CELLS
        half = cells[..., 3:5].sigmoid() / 2
        return torch.cat([centre - half, centre + half], -1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        cells = self.cells_of(image[None])[0]
        scores, boxes = cells[:, 0].sigmoid(), self.boxes_of(cells)
        kept = nms(boxes, scores, OVERLAP)
        kept = kept[scores[kept] > LEAST_SCORE]
        height, width = image.shape[1], image.shape[2]
        size = torch.tensor([width, height, width, height], dtype=torch.float32)
        return {"boxes": boxes[kept] * size, "labels": cells[kept, 5:].argmax(1), "scores": scores[kept]}
