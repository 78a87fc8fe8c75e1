"""The module as tensors in and tensors out, under the names that Optimum and ONNX Runtime use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..spec import Unsupported
from .loading import json_in

POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
}
"""Of sentence-transformers, by the key in the configuration of the pooling."""


def encoder(module: Any, outputs: Sequence[str]) -> Any:
    """The module whose answer is a dict of the fields `outputs`."""
    import torch

    class Encoder(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = module

        def forward(self, input_ids: Any, attention_mask: Any = None, token_type_ids: Any = None) -> Any:
            given = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
            answer = self.model(**{name: each for name, each in given.items() if each is not None})
            return {name: answer[name] for name in outputs}

    return Encoder()


def pictures(module: Any, outputs: Sequence[str]) -> Any:
    """The module of images."""
    import torch

    class Pictures(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = module

        def forward(self, pixel_values: Any) -> Any:
            answer = self.model(pixel_values=pixel_values)
            return {name: answer[name] for name in outputs}

    return Pictures()


def sentences(module: Any, folder: Path) -> Any:
    """The module followed by the parts that `modules.json` lists: pooling, a dense layer, normalisation."""
    import torch

    steps = tuple(_steps(folder))

    class Sentences(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = module
            self.steps = torch.nn.ModuleList(step for step in steps)

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any = None) -> Any:
            given = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
            answer = self.model(**{name: each for name, each in given.items() if each is not None})
            tokens = found = answer["last_hidden_state"]
            for step in self.steps:
                found = step(found, attention_mask)
            return {"token_embeddings": tokens, "sentence_embedding": found}

    return Sentences()


def _steps(folder: Path) -> Any:
    """The parts after the transformer, in order; mean pooling alone where there is no list."""
    import json

    path = folder / "modules.json"
    listed = json.loads(path.read_text("utf-8")) if path.is_file() else []
    kinds = [(str(each.get("type", "")).rpartition(".")[2], str(each.get("path", ""))) for each in listed]
    if kinds and (kinds[0][0] != "Transformer" or kinds[0][1]):
        raise Unsupported(
            "modules.json must begin with the Transformer in the folder itself: save the model again with "
            "sentence-transformers"
        )
    for kind, place in kinds[1:] or [("Pooling", "")]:
        if kind == "Pooling":
            yield _pooling(json_in(folder / place, "config.json") if place else {"pooling_mode_mean_tokens": True})
        elif kind == "Dense":
            yield _dense(folder / place)
        elif kind == "Normalize":
            yield _normalise()
        else:
            raise Unsupported(f"modules.json has a part of the kind {kind!r}; there are Pooling, Dense and Normalize")


def _pooling(config: dict[str, Any]) -> Any:
    import torch

    named = str(config.get("pooling_mode", "") or "")
    modes = [mode for key, mode in POOLINGS.items() if config.get(key)] or ([named] if named else [])
    strange = [
        key for key, on in config.items() if key.startswith("pooling_mode_") and on is True and key not in POOLINGS
    ]
    if strange or len(modes) != 1 or modes[0] not in POOLINGS.values():
        raise Unsupported(
            f"the pooling is {', '.join([*modes, *strange]) or 'none'}; there is one of {', '.join(POOLINGS.values())}"
        )

    class Pooling(torch.nn.Module):  # type: ignore[misc]
        def forward(self, tokens: Any, mask: Any) -> Any:
            if modes[0] == "cls":
                return tokens[:, 0]
            wide = mask.unsqueeze(-1).to(tokens.dtype)
            if modes[0] == "max":
                return torch.where(wide == 0, torch.full_like(tokens, -1e9), tokens).amax(1)
            count = wide.sum(1).clamp(min=1e-9)
            return (tokens * wide).sum(1) / (count if modes[0] == "mean" else count.sqrt())

    return Pooling()


def _dense(folder: Path) -> Any:
    import torch
    from safetensors.torch import load_file

    config, path = json_in(folder, "config.json"), folder / "model.safetensors"
    if not path.is_file():
        raise Unsupported(f"{folder.name} has no model.safetensors: save the model again with sentence-transformers")
    weights = load_file(str(path))
    name = str(config.get("activation_function", "")).rpartition(".")[2] or "Tanh"
    known = {"Tanh": torch.nn.Tanh, "Identity": torch.nn.Identity, "ReLU": torch.nn.ReLU, "GELU": torch.nn.GELU}
    if name not in known:
        raise Unsupported(f"{folder.name} has the activation {name!r}; there is one of {', '.join(known)}")
    height, width = weights["linear.weight"].shape
    linear = torch.nn.Linear(width, height, bias="linear.bias" in weights)
    linear.load_state_dict({key.removeprefix("linear."): value for key, value in weights.items()})

    class Dense(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.activation = linear, known[name]()

        def forward(self, found: Any, mask: Any) -> Any:
            return self.activation(self.linear(found))

    return Dense()


def _normalise() -> Any:
    import torch

    class Normalise(torch.nn.Module):  # type: ignore[misc]
        def forward(self, found: Any, mask: Any) -> Any:
            return torch.nn.functional.normalize(found, p=2.0, dim=-1)

    return Normalise()
