"""Run as a program by an interpreter that has torch: makes files, or loads them under the guard. Prints JSON.

`make FOLDER`: real modules and weights. `load FILE`: files with the names that a scan of each accepted; says of each
how loading it under the guard ended, and whether torch's own loader gives the same tensors. `refuse FILE`: files with
options, as the worker loads them.
"""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters._trust.guard import Trusted
from mlpack_toolkit.converters._trust.rules import Refused
from mlpack_toolkit.converters._trust.torch_loading import load_torch

PROGRAMS = ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.fork", "socket.connect", "os.remove")
MODELS = "resnet18 mobilenet_v3_small squeezenet1_0 detection.ssdlite320_mobilenet_v3_large"
heard: list[str] = []


def layers() -> dict[str, Any]:
    """Modules that hold all kinds of layers between them."""
    from torch import nn

    encoder = nn.TransformerEncoderLayer(8, 2, batch_first=True, activation=nn.functional.gelu)
    tied = nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4)})
    tied["b"].weight = tied["a"].weight
    return {
        "convolutions": nn.Sequential(
            *(nn.Conv2d(3, 4, 3, padding_mode="circular"), nn.BatchNorm2d(4), nn.ReLU6(), nn.MaxPool2d(2)),
            *(nn.ConvTranspose2d(4, 4, 2), nn.GroupNorm(2, 4), nn.PReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        ),
        "recurrent": nn.ModuleList([nn.LSTM(3, 4, 2, bidirectional=True), nn.GRU(3, 4), nn.RNNCell(3, 4)]),
        "attention": nn.TransformerEncoder(encoder, 2),
        "decoder": nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2), 1),
        "embeddings": nn.ModuleList([nn.Embedding(5, 3, padding_idx=0), nn.EmbeddingBag(5, 3, mode="sum")]),
        "tied": tied,
        "half": nn.Linear(3, 3).half(),
        "bfloat16": nn.Linear(3, 3).bfloat16(),
        "every layer without arguments": nn.Sequential(*_without_arguments()),
    }


def _without_arguments() -> list[Any]:
    from torch import nn

    kinds = [kind for name, kind in sorted(vars(nn).items()) if isinstance(kind, type) and issubclass(kind, nn.Module)]
    made = []
    for kind in kinds:
        if "Lazy" in kind.__name__ or kind.__name__ in ("Container", "DataParallel"):
            continue
        try:
            made.append(kind())
        except (TypeError, ValueError, AssertionError):
            continue
    return made


def make(folder: Path) -> dict[str, Any]:
    """The names of the files made."""
    import torch

    torch.manual_seed(0)
    for name, layer in layers().items():
        torch.save(layer.eval(), folder / f"{name}.pt")
        torch.save(layer.state_dict(), folder / f"{name} weights.pt")
    for place in MODELS.split():
        path, _, name = f"torchvision.models.{place}".rpartition(".")
        plain = {"weights": None} | ({"weights_backbone": None} if "." in place else {})
        torch.save(getattr(importlib.import_module(path), name)(**plain).eval(), folder / f"{place}.pt")
    return {"made": sorted(path.name for path in folder.glob("*.pt"))}


def load(plan: Path) -> dict[str, Any]:
    """How loading each file ended, and what else happened while it was loaded."""
    import torch

    importlib.import_module("torchvision")
    ends: dict[str, str] = {}
    fired: list[str] = []
    sys.addaudithook(lambda event, args: heard.append(event) if event in PROGRAMS else None)
    for file, found in json.loads(plan.read_text("utf-8")).items():
        heard.clear()
        try:
            loaded = load_torch(Path(file), Trusted(found["names"], found["own"], found["referred"]))
            same = not found["compare"] or _same(loaded, torch.load(file, weights_only=False))
            ends[file] = "the same" if same else "differs"
        except Refused as refused:
            ends[file] = f"refused: {refused}"
        except Exception as error:
            ends[file] = f"{type(error).__name__}: {error}"
        fired += [f"{file}: {event}" for event in heard]
    return {"ends": ends, "fired": fired}


def _same(loaded: Any, own: Any) -> bool:
    """Whether both hold equal tensors, which share memory where torch's own do."""
    import torch

    if isinstance(own, torch.nn.Module):
        if str(loaded) != str(own) or type(loaded) is not type(own):
            return False
        loaded, own = loaded.state_dict(keep_vars=True), own.state_dict(keep_vars=True)
    alike = [_alike(loaded[name], own[name]) for name in own]
    return list(loaded) == list(own) and all(alike) and _shared(loaded) == _shared(own)


def _alike(one: Any, other: Any) -> bool:
    import torch

    facts = [(t.dtype, t.shape, t.stride(), type(t), t.requires_grad) for t in (one, other)]
    plain = [t.detach().contiguous().reshape(-1).view(torch.uint8) if t.numel() else t for t in (one, other)]
    return facts[0] == facts[1] and torch.equal(*plain)


def _shared(tensors: Any) -> list[int]:
    places = [tensor.untyped_storage().data_ptr() for tensor in tensors.values()]
    return [places.index(place) for place in places]


def refuse(plan: Path) -> dict[str, Any]:
    """How the worker's own loading of each file and its options ended."""
    from mlpack_toolkit.converters.torch.loading import load as load_file

    ends: dict[str, str] = {}
    sys.path.insert(0, str(plan.parent / "code"))
    for what, (file, given) in json.loads(plan.read_text("utf-8")).items():
        try:
            ends[what] = type(load_file(plan.parent / file, given)).__name__
        except Exception as error:
            ends[what] = f"{type(error).__name__}: {error}"
    return ends


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps({"make": make, "load": load, "refuse": refuse}[sys.argv[1]](Path(sys.argv[2]))))
