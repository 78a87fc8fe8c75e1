"""A Python program, like a notebook, that builds the bundle of its own module; runs in an interpreter that has torch.

`python from_python.py FOLDER SITE`. SITE: where mlpack's own packages are. Prints what it got as JSON.
"""

from __future__ import annotations

import json
import site
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn


class Notebook(nn.Module):
    """A class without a file to import it from."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        y = self.dropout(self.layer(x))
        return y if bias is None else y + bias


def built(folder: Path) -> dict[str, Any]:
    """What a user gets for a module of the program, and for an example that holds a word."""
    import mlpack_toolkit
    from mlpack_toolkit.packager.errors import UsageError

    net, options = Notebook(), {"torch": {"dynamic": "x.0:batch"}}
    example = (torch.rand(1, 4), torch.rand(3).numpy())
    made = mlpack_toolkit.build(net, example, options=options, output=folder / "from python", target="docker")
    found: dict[str, Any] = {"bundle": str(made.bundle), "inputs": {t.name: t.shape for t in made.signature.inputs}}
    try:
        mlpack_toolkit.build(net, {"x": "a word"}, output=folder / "from python")
    except UsageError as error:
        found["refused"] = str(error)
    return {**found, "training": net.training}


def saved(folder: Path) -> list[str]:
    """The files of a module whose class has a file."""
    import small_nets

    from mlpack_toolkit.converters.torch.saving import save

    folder.mkdir()
    files = save(small_nets.Tagger(), {"tokens": torch.zeros(2, 3, dtype=torch.int64)}, {}, folder)
    return [files.model.name, *(str(path.relative_to(files.code[0])) for path in files.code[0].rglob("*"))]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    sys.path[:0] = [str(Path(__file__).resolve().parents[3] / "src"), str(folder / "code")]
    site.addsitedir(sys.argv[2])
    print(json.dumps({**built(folder), "saved": saved(folder / "saved")}))
