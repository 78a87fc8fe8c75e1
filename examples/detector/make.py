"""Trains the detector in `code/detector.py` on pictures that this script draws: squares, discs and triangles.

Run it with a Python that has torch and torchvision (`make torch` makes one); README.md shows the way from there.

    python examples/detector/make.py build/detector
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent / "code"))
from detector import CELLS, LABELS, SIDE, Detector

STEPS, BATCH = 300, 8


def draw(random: np.random.Generator, height: int = SIDE, width: int = SIDE) -> tuple[Any, list[list[float]]]:
    """A picture `[height, width, 3]` with one to three shapes, and for each its label and its box from 0 to 1."""
    picture = random.integers(0, 60, (height, width, 3))
    y, x = np.mgrid[:height, :width]
    found: list[list[float]] = []
    for _ in range(int(random.integers(1, 4))):
        half = int(random.integers(min(height, width) // 10, min(height, width) // 5))
        cx, cy = int(random.integers(half, width - half)), int(random.integers(half, height - half))
        if any(abs(cx - b[1] * width) < 2.5 * half and abs(cy - b[2] * height) < 2.5 * half for b in found):
            continue
        label = int(random.integers(len(LABELS)))
        inside = (abs(x - cx) <= half) & (abs(y - cy) <= half)
        if label == 1:
            inside = (x - cx) ** 2 + (y - cy) ** 2 <= half**2
        elif label == 2:
            inside &= abs(x - cx) * 2 <= y - cy + half
        picture[inside] = random.integers(120, 256, 3)
        size = 2 * half + 1
        found.append([label, (cx + 0.5) / width, (cy + 0.5) / height, size / width, size / height])
    return picture.astype(np.uint8), found


def batch(random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Pictures, and what their cells should say; a cell without a shape says 0 first."""
    pictures, wanted = [], torch.zeros(BATCH, CELLS * CELLS, 6)
    for i in range(BATCH):
        picture, shapes = draw(random)
        pictures.append(torch.from_numpy(picture).permute(2, 0, 1))
        for label, cx, cy, width, height in shapes:
            cell = int(cy * CELLS) * CELLS + int(cx * CELLS)
            wanted[i, cell] = torch.tensor([1, cx, cy, width, height, label])
    return torch.stack(pictures), wanted


def loss_of(detector: Detector, pictures: Tensor, wanted: Tensor) -> Tensor:
    cells = detector.cells_of(pictures)
    there = wanted[..., 0] > 0
    boxes = detector.boxes_of(cells)[there]
    centre, size = wanted[there][:, 1:3], wanted[there][:, 3:5]
    corners = torch.cat([centre - size / 2, centre + size / 2], 1)
    weight = torch.where(there, 10.0, 1.0)
    present = F.binary_cross_entropy_with_logits(cells[..., 0], there.float(), weight)
    return present + 5 * F.l1_loss(boxes, corners) + F.cross_entropy(cells[there][:, 5:], wanted[there][:, 5].long())


def trained(steps: int = STEPS) -> Detector:
    """The detector after so many batches of drawn pictures."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    random, detector = np.random.default_rng(0), Detector()
    optimiser = torch.optim.Adam(detector.parameters(), 3e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        loss_of(detector, *batch(random)).backward()
        optimiser.step()
    return detector.eval()


def main(folder: Path, steps: int = STEPS) -> None:
    """Writes the module and four pictures, of two sizes in two folders."""
    detector, random = trained(steps), np.random.default_rng(7)
    for name, height, width in (("pictures", 120, 128), ("others", 168, 150)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in (1, 2):
            Image.fromarray(draw(random, height, width)[0]).save(folder / name / f"{number}.png")
    torch.save(detector, folder / "detector.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."), *map(int, sys.argv[2:]))
