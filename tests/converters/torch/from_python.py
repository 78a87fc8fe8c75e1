"""A Python program, like a notebook, that builds the bundle of its own module; runs in an interpreter that has torch.

`python from_python.py FOLDER SITE`. SITE: where mlpack's own packages are. Prints what it got as JSON.
"""

from __future__ import annotations

import json
import site
import sys
from pathlib import Path

import torch
from torch import nn

folder = Path(sys.argv[1])
sys.path[:0] = [str(Path(__file__).resolve().parents[3] / "src"), str(folder / "code")]
site.addsitedir(sys.argv[2])
import mlpack_toolkit
from mlpack_toolkit.converters.torch.saving import save
from mlpack_toolkit.packager.errors import UsageError


class Notebook(nn.Module):
    """A class without a file to import it from."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        y = self.dropout(self.layer(x))
        return y if bias is None else y + bias


if __name__ == "__main__":
    net, options = Notebook(), {"torch": {"dynamic": "x.0:batch"}}
    example = (torch.rand(1, 4), torch.rand(3).numpy())
    built = mlpack_toolkit.build(net, example, options=options, output=folder / "from python", target="docker")
    found = {"bundle": str(built.bundle), "inputs": {t.name: t.shape for t in built.signature.inputs}}
    try:
        mlpack_toolkit.build(net, {"x": "a word"}, output=folder / "from python")
    except UsageError as error:
        found["refused"] = str(error)

    import small_nets

    (folder / "saved").mkdir()
    saved = save(small_nets.Tagger(), {"tokens": torch.zeros(2, 3, dtype=torch.int64)}, {}, folder / "saved")
    found["saved"] = [saved.model.name, *(str(p.relative_to(saved.code[0])) for p in saved.code[0].rglob("*"))]
    found["training"] = net.training
    print(json.dumps(found))
