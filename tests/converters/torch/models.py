"""Makes tiny models in every form that torch saves, with their examples; runs in an interpreter that has torch.

`python models.py FOLDER`.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

CODE = '''
import torch
from torch import nn


class Tagger(nn.Module):
    """A tag for each word of a sentence."""

    def __init__(self, words: int = 30, tags: int = 4) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, 8)
        self.lstm = nn.LSTM(8, 6, bidirectional=True, batch_first=True)
        self.tags = nn.Linear(12, tags)

    def forward(self, tokens):
        states, _ = self.lstm(self.embed(tokens))
        return {"scores": self.tags(states)}


class Cell(nn.Module):
    """One step of a loop: state in, state out."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTMCell(4, 6)
        self.out = nn.Linear(6, 2)

    def forward(self, x, state, *, scale, masks=None):
        h, c = self.rnn(x, (state[0], state[1]))
        y = self.out(h) * scale
        if masks is not None:
            y = y + masks["late"].float()[:, None]
        return y, (h, c)
'''


def classifier() -> nn.Module:
    """A small network for pictures of 8 x 8 grey pixels."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 3),
        nn.Softmax(-1),
    ).eval()


class Boxes(nn.Module):
    """The boxes that do not cover a better one."""

    def forward(self, boxes: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        from torchvision.ops import nms

        return boxes[nms(boxes, scores, 0.5)]


def _in_shards(weights: dict[str, torch.Tensor], path: Path) -> None:
    """Every second tensor in one file, the others in another."""
    from safetensors.torch import save_file

    files = {name: f"model-0000{1 + place % 2}-of-00002.safetensors" for place, name in enumerate(weights)}
    for file in set(files.values()):
        save_file({name: each for name, each in weights.items() if files[name] == file}, path.with_name(file))
    path.write_text(json.dumps({"metadata": {}, "weight_map": files}))


def make(folder: Path) -> None:
    """Writes the models, their code and their examples."""
    (folder / "code").mkdir()
    (folder / "code" / "small_nets.py").write_text(CODE)
    sys.path.insert(0, str(folder / "code"))
    import small_nets

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    net, pictures = classifier(), torch.rand(5, 1, 8, 8)
    free = ({0: torch.export.Dim.DYNAMIC},)
    torch.export.save(torch.export.export(net, (pictures,), dynamic_shapes=free), folder / "pictures.pt2")
    boxes = torch.tensor([[0, 0, 2, 2], [0, 0, 2, 1.9], [5, 5, 6, 6.0]]), torch.tensor([0.9, 0.8, 0.7])
    torch.export.save(torch.export.export(Boxes(), boxes, dynamic_shapes=(free[0],) * 2), folder / "boxes.pt2")
    torch.jit.trace(net, pictures).save(str(folder / "script.pt"))
    np.save(folder / "pictures.npy", pictures.numpy())

    tagger = small_nets.Tagger().eval()
    torch.save(tagger, folder / "tagger.pt")
    _in_shards(tagger.state_dict(), folder / "model.safetensors.index.json")
    np.savez(folder / "words.npz", tokens=rng.integers(0, 30, (3, 7)))
    np.savez(folder / "longer.npz", tokens=rng.integers(0, 30, (4, 9)))

    torch.save(small_nets.Cell().eval(), folder / "cell.pt")
    state, masks = (torch.rand(5, 6), torch.rand(5, 6)), {"late": torch.rand(5) > 0.5}
    given = {"x": torch.rand(5, 4), "state": state, "scale": torch.tensor(2.0), "masks": masks}
    torch.save(given, folder / "step.pt")
    torch.save([torch.rand(5, 4), 3], folder / "a number.pt")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    make(Path(sys.argv[1]))
