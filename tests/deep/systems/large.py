"""A module of 1.5 billion parameters."""

from __future__ import annotations

import torch
from system import System, whole
from torch import nn


class Language(nn.Module):
    """GPT-2 XL of transformers: the scores of the next token at every place."""

    def __init__(self, **sizes: int) -> None:
        from transformers import GPT2Config, GPT2LMHeadModel

        super().__init__()
        self.network = GPT2LMHeadModel(GPT2Config(use_cache=False, **sizes))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.network(input_ids=tokens, use_cache=False).logits


def gpt2_xl() -> nn.Module:
    torch.manual_seed(0)
    return Language(n_layer=48, n_embd=1600, n_head=25).eval()


def gpt2_small() -> nn.Module:
    torch.manual_seed(0)
    return Language(n_layer=12, n_embd=768, n_head=12).eval()


def tokens(rows: int) -> dict[str, object]:
    return {"tokens": whole(3, 50257, rows, 5)}


AXES = "tokens.0:batch,tokens.1:length[1..1024]"
SYSTEMS = (
    System("GPT-2 small, 124 M (transformers)", gpt2_small, tokens, AXES),
    System("GPT-2 XL, 1.56 billion (transformers)", gpt2_xl, tokens, AXES, big=True),
)
