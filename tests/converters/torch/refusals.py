"""Asks the worker's own session about modules that it must refuse, in one process; prints a JSON object of sentences.

Runs in an interpreter that has torch: `python refusals.py FOLDER MODELS`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "src"))
from mlpack_toolkit.converters import messages
from mlpack_toolkit.converters._worker.noise import noise_of
from mlpack_toolkit.converters._worker.session import ModelSession, _failure
from mlpack_toolkit.converters.spec import Unreadable
from mlpack_toolkit.converters.table import write_table
from mlpack_toolkit.converters.torch import CONVERTER, loading
from mlpack_toolkit.converters.torch.model import wrapped

BOXES = np.array([[0, 0, 2, 2], [0, 0, 2, 1.9], [5, 5, 6, 6]], np.float32)
X = {"x": np.arange(20, dtype=np.float32).reshape(5, 4) / 7}


class Plain(nn.Module):
    """What the modules here have in common: one input, one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.calls = 0
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> Any:
        return self.answer(x)

    def answer(self, x: torch.Tensor) -> Any:
        return self.layer(x)


class DropoutAlwaysOn(Plain):
    def answer(self, x: torch.Tensor) -> Any:
        return F.dropout(self.layer(x), 0.5)


class Noise(Plain):
    def answer(self, x: torch.Tensor) -> Any:
        return self.layer(x + torch.randn_like(x))


class PythonCounter(Plain):
    def answer(self, x: torch.Tensor) -> Any:
        self.calls += 1
        return self.layer(x) + self.calls


class BufferCounter(Plain):
    def answer(self, x: torch.Tensor) -> Any:
        self.steps += 1
        return self.layer(x) + self.steps


class FirstCall(Plain):
    def answer(self, x: torch.Tensor) -> Any:
        if not hasattr(self, "scale"):
            self.scale = torch.ones(3)
            return self.layer(x) + 1
        return self.layer(x) * self.scale


class MeanOfTheFirstCall(Plain):
    def answer(self, x: torch.Tensor) -> Any:
        if not hasattr(self, "mean"):
            self.mean = x.mean(0)
        return self.layer(x - self.mean)


class RowsOfTheFirstCall(Plain):
    def answer(self, x: torch.Tensor) -> Any:
        if not hasattr(self, "state"):
            self.state = torch.zeros(len(x), 3)
        return self.layer(x) + self.state


class ScalesOfTheFirstCall(Plain):
    """The pool of torchvision's detectors keeps the scales of the first maps; here those of an image of 64 pixels."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.ops import MultiScaleRoIAlign

        self.pool = MultiScaleRoIAlign(["0", "1"], 2, 2)

    def answer(self, x: torch.Tensor) -> Any:
        boxes = torch.tensor([[4.0, 4.0, 40.0, 44.0]])
        return self.pool({"0": x, "1": F.avg_pool2d(x, 2)}, [boxes], [(64, 64)])


class TableOfTheFirstCall(Plain):
    def answer(self, x: torch.Tensor) -> Any:
        if not hasattr(self, "scale"):
            self.scale = torch.arange(3.0)
        return self.layer(x) * self.scale


class NamesItsType(Plain):
    """Its copy in float64 would multiply float32 by float64, were its casts taken literally."""

    def answer(self, x: torch.Tensor) -> Any:
        found = torch.zeros(len(x), 3, dtype=torch.float32)
        found += self.layer(x.to(torch.float32)).float() * torch.tensor([0.1, 0.2, 0.3], dtype=torch.float32)
        return found, found.masked_fill(found < 0, torch.finfo(found.dtype).min)


class Branch(Plain):
    def answer(self, x: torch.Tensor) -> Any:
        if x.sum() > 0:
            return self.layer(x)
        return -self.layer(x)


class Word(Plain):
    def answer(self, x: torch.Tensor) -> Any:
        return {"scores": self.layer(x), "unit": "metres"}


class Complex(Plain):
    def answer(self, x: torch.Tensor) -> Any:
        return torch.fft.fft(self.layer(x))


class Sparse(Plain):
    def answer(self, x: torch.Tensor) -> Any:
        return self.layer(x).relu().to_sparse()


class OtherRows(Plain):
    def answer(self, x: torch.Tensor) -> Any:
        return self.layer(x).softmax(0)


class FixedRows(Plain):
    def answer(self, x: torch.Tensor) -> Any:
        return self.layer(x).reshape(5, 3) * torch.ones(5, 3)


class Loop(Plain):
    def answer(self, x: torch.Tensor) -> Any:
        return torch.stack([self.layer(row) for row in x]) if len(x) else self.layer(x)


Case = tuple[type[Plain], Mapping[str, Any], Mapping[str, Any]]
CASES: dict[str, Case] = {
    "dropout that is always on": (DropoutAlwaysOn, X, {}),
    "noise": (Noise, X, {}),
    "a counter of Python": (PythonCounter, X, {}),
    "a counter in a buffer": (BufferCounter, X, {}),
    "a first call of its own": (FirstCall, X, {}),
    "a mean of the first call": (MeanOfTheFirstCall, X, {}),
    "rows of the first call": (RowsOfTheFirstCall, X, {}),
    "a table of the first call": (TableOfTheFirstCall, X, {}),
    "a branch on values": (Branch, X, {}),
    "more tensors than parameters": (Plain, {"x": X["x"], "mask": X["x"]}, {}),
    "another shape": (Plain, {"x": X["x"][:, :3].copy()}, {}),
    "an axis of no input": (Plain, X, {"dynamic": "y.0:batch"}),
    "an axis that is not there": (Plain, X, {"dynamic": "x.2:length"}),
    "no axis at all": (Plain, X, {"dynamic": "x:batch"}),
    "a second example of the same sizes": (Plain, X, {"other": {"x": ["5", "4"]}}),
    "a second example of other inputs": (Plain, X, {"other": {"x": ["6", "4"], "y": ["6"]}}),
    "two ways to say it": (Plain, X, {"other": {"x": ["6", "4"]}, "dynamic": "x.0:batch"}),
    "two axes that change alike": (Plain, {"x": np.ones((5, 5), np.float32)}, {"other": {"x": ["6", "6"]}}),
    "a word": (Word, X, {}),
    "complex numbers": (Complex, X, {}),
    "a sparse tensor": (Sparse, X, {}),
    "rows that depend on other rows": (OtherRows, X, {}),
    "rows of one number": (FixedRows, X, {}),
    "a loop over the rows": (Loop, X, {}),
}

MAPS = {"x": np.random.default_rng(0).random((1, 2, 16, 16), np.float32)}
SCALES: Case = (ScalesOfTheFirstCall, MAPS, {"dynamic": "x.2:height,x.3:width"})
"""With torchvision, which is not there before."""


def asked(case: Case, folder: Path) -> dict[str, Any]:
    """The signature of the graph that the session made, or the failure that it replies."""
    module, example, given = case
    torch.manual_seed(0)
    session = ModelSession()
    session.sandbox = None
    try:
        session.converter, session.model = CONVERTER, wrapped(module(), given)
        session.description = CONVERTER.original.describe(session.model)
        write_table(dict(example), folder / "example.npz")
        probed = session.probe(messages.Probe(str(folder / "example.npz"), str(folder)))
        session.convert(messages.Convert("float32", str(folder / "model.onnx")))
    except Exception as error:
        return _failure(error, session).to_json()
    return {"kind": "", "signature": probed.signature.to_json(), "notes": probed.notes}


def read(value: Any, place: Path) -> dict[str, Any]:
    """The failure that the session replies to an example of this value."""
    session = ModelSession()
    session.converter, session.sandbox = CONVERTER, None
    torch.save(value, place)
    try:
        session.read(messages.Read(str(place), str(place.with_suffix(".npz"))))
    except Exception as error:
        return _failure(error, session).to_json()
    return {"kind": ""}


def noise() -> dict[str, Any]:
    """How a module that names float32 is from itself, loaded as a module and as a program: types and differences."""
    module = NamesItsType().eval()
    program = torch.export.export(module, (torch.from_numpy(X["x"]),))
    found = {}
    for name, model in (("module", wrapped(module, {})), ("program", wrapped(program, {}))):
        kinds = [[values.dtype.name for values in answers.values()] for answers in model.again(X)]
        found[name] = {"kinds": kinds, "noise": noise_of(model.outputs, model.again, X, None)}
    return {**found, "default": str(torch.get_default_dtype())}


def run(program: Path) -> dict[str, Any]:
    """What a program with an operator of torchvision answers, and why it is refused where there is no torchvision."""
    assert "torchvision" not in sys.modules
    sys.modules["torchvision"] = None  # type: ignore[assignment, unused-ignore]
    try:
        loading.load(program, {})
        refused = ""
    except Unreadable as error:
        refused = str(error)
    del sys.modules["torchvision"]
    loaded = wrapped(loading.load(program, {}), {})
    kept = loaded.outputs({"boxes": BOXES, "scores": np.array([0.9, 0.8, 0.7], np.float32)})
    return {"refused": refused, "kept": kept["output"].tolist()}


class Tied(nn.Module):
    """Two layers with one weight, and a normalisation, which loads in a way of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.norm = nn.Linear(4, 4), nn.Linear(4, 4), nn.BatchNorm1d(4)
        self.second.weight = self.first.weight


def held(folder: Path) -> dict[str, Any]:
    """Which tensors of a module are those of the file that it was loaded from, and whether one weight is still one."""
    torch.save(Tied().state_dict(), folder / "weights.pt")
    weights = loading.weights_of(folder / "weights.pt", True)
    module = loading.with_weights("refusals:Tied", weights)
    own = module.state_dict()
    where = [name for name in own if own[name].data_ptr() == weights[name].data_ptr()]
    same = all(torch.equal(own[name], weights[name]) for name in own)
    return {"held": where, "all": list(own), "tied": module.first.weight is module.second.weight, "same": same}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    found = {name: asked(case, folder) for name, case in CASES.items()}
    found["an example that is a module"] = read(nn.Linear(2, 2), folder / "a module.pt")
    found["noise of a module that names its type"] = noise()
    found["a program of torchvision"] = run(Path(sys.argv[2]) / "boxes.pt2")
    found["scales of the first call"] = asked(SCALES, folder)
    found["weights of a file"] = held(folder)
    print(json.dumps(found))
