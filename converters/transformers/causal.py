"""A module that continues text, with its cache as flat tensors: one graph for the prompt and for each step."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..spec import BATCH, Range, Unsupported

NEW, PAST = "sequence_length", "past_sequence_length"
TOTAL = f"{PAST} + {NEW}"
"""The names of the axes, as Optimum has them; of the last one, what it is the sum of."""
KINDS = ("full_attention", "sliding_attention")
"""Kinds of layers whose cache is one entry for each token."""


@dataclass(frozen=True)
class Cache:
    """The cache of a module: layers, heads of keys and values, and the sizes of a head."""

    layers: int
    heads: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]


def check_layers(config: Any) -> None:
    """Raises `Unsupported` for layers that remember otherwise than by keys and values of each token."""
    kinds = getattr(config, "layer_types", None) or ()
    strange = sorted({str(kind) for kind in kinds} - {*KINDS})
    if strange:
        raise Unsupported(
            f"{config.model_type} has layers of the kind {', '.join(strange)}, whose memory is no cache of keys and "
            f"values for each token; there is a converter for {' and '.join(KINDS)}"
        )
    scaling = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    kind = _rope_kind(scaling)
    if kind in ("dynamic", "longrope"):
        raise Unsupported(
            f"{config.model_type} turns its positions otherwise in long texts ({kind} scaling), so that one graph "
            "cannot answer for all lengths: use a model with another scaling (linear, yarn, llama3)"
        )


def _rope_kind(scaling: Any) -> str:
    if not isinstance(scaling, Mapping):
        return ""
    kinds = [_rope_kind(each) for each in scaling.values() if isinstance(each, Mapping)]
    own = str(scaling.get("rope_type") or scaling.get("type") or "")
    return next((kind for kind in (own, *kinds) if kind in ("dynamic", "longrope")), own)


def cache_of(module: Any) -> Cache:
    """The cache of a module, by what it keeps of two tokens. Raises `Unsupported` where it keeps something else."""
    import torch
    from transformers import DynamicCache

    check_layers(module.config)
    kept = DynamicCache()
    with torch.no_grad():
        module(input_ids=torch.zeros((1, 2), dtype=torch.int64), use_cache=True, **{word_of(module): kept})
    layers = getattr(kept, "layers", None)
    if not layers or any(getattr(each, "keys", None) is None or each.keys.dim() != 4 for each in layers):
        raise Unsupported(
            f"{type(module).__name__} keeps no keys and values of every layer as transformers' own cache does, so that "
            "a graph cannot give them from step to step"
        )
    if any(each.keys.shape[2] != 2 for each in layers):
        raise Unsupported(f"{type(module).__name__} keeps something else than one key for each token")
    heads = tuple(int(each.keys.shape[1]) for each in layers)
    sizes = tuple((int(each.keys.shape[3]), int(each.values.shape[3])) for each in layers)
    return Cache(len(layers), heads, sizes)


def word_of(module: Any) -> str:
    """What `forward` calls the cache: `cache` in later versions of transformers."""
    takes = inspect.signature(module.forward).parameters
    return next(word for word in ("cache", "past_key_values") if word in takes)


def continuing(module: Any) -> Any:
    """The module with `past_key_values` as a tuple of dicts, and `present.N.key` and `.value` beside its logits."""
    import torch
    from transformers.cache_utils import DynamicCache, DynamicLayer

    word = word_of(module)

    class Kept(DynamicLayer):  # type: ignore[misc, unused-ignore]
        """A layer that is full from the start, of any length, and keeps all: a window is the mask's."""

        def __init__(self, keys: Any, values: Any) -> None:
            super().__init__()
            self.keys, self.values, self.is_initialized = keys, values, True
            self.dtype, self.device = keys.dtype, keys.device

        def get_seq_length(self) -> Any:
            return self.keys.shape[-2]

    class Continuing(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = module

        def forward(self, input_ids: Any, attention_mask: Any, position_ids: Any, past_key_values: Any) -> Any:
            past, new = past_key_values[0]["key"].shape[2], input_ids.shape[1]
            torch._check(attention_mask.shape[1] == past + new, lambda: "attention_mask must cover past and new tokens")
            cache = DynamicCache()
            cache.layers = [Kept(each["key"], each["value"]) for each in past_key_values]
            answer = self.model(
                input_ids=input_ids,
                attention_mask=attention_mask,
                position_ids=position_ids,
                use_cache=True,
                **{word: cache},
            )
            found = {"logits": answer.logits}
            for place, layer in enumerate(cache.layers):
                found[f"present.{place}.key"], found[f"present.{place}.value"] = layer.keys, layer.values
            return found

    return Continuing()


def free_axes(cache: Cache) -> dict[str, dict[int, Range]]:
    """The free axes of each input."""
    found = {
        "input_ids": {0: Range(BATCH), 1: Range(NEW, 1)},
        "attention_mask": {0: Range(BATCH), 1: Range(TOTAL)},
        "position_ids": {0: Range(BATCH), 1: Range(NEW, 1)},
    }
    for place in range(cache.layers):
        for kind in ("key", "value"):
            found[f"past_key_values.{place}.{kind}"] = {0: Range(BATCH), 2: Range(PAST)}
    return found


def empty_past(cache: Cache, rows: int) -> dict[str, Any]:
    """The cache before the first token, as tensors by name."""
    import torch

    found = {}
    for place, (heads, (key, value)) in enumerate(zip(cache.heads, cache.sizes)):
        found[f"past_key_values.{place}.key"] = torch.zeros((rows, heads, 0, key))
        found[f"past_key_values.{place}.value"] = torch.zeros((rows, heads, 0, value))
    return found
