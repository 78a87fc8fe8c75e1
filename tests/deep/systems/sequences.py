"""Networks over sequences of tokens."""

from __future__ import annotations

import torch
from system import System, whole
from torch import nn


class Tagger(nn.Module):
    """Embeddings, a bidirectional LSTM of two layers, a class per token; padding is token 0 and answers 0."""

    def __init__(self, words: int = 5000, width: int = 64, classes: int = 17) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width, padding_idx=0)
        self.states = nn.LSTM(width, width, 2, batch_first=True, bidirectional=True)
        self.classes = nn.Linear(2 * width, classes)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        states, _ = self.states(self.words(tokens))
        return self.classes(states).masked_fill((tokens == 0)[..., None], 0)


class Encoder(nn.Module):
    """BERT of transformers, small, with its pooled state."""

    def __init__(self) -> None:
        from transformers import BertConfig, BertModel

        super().__init__()
        sizes = {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 512}
        self.network = BertModel(BertConfig(vocab_size=5000, **sizes))

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.network(input_ids=tokens, attention_mask=mask)
        return found.last_hidden_state, found.pooler_output


def tagger() -> nn.Module:
    torch.manual_seed(0)
    return Tagger().eval()


def bert_mini() -> nn.Module:
    torch.manual_seed(0)
    return Encoder().eval()


def tokens(rows: int) -> dict[str, object]:
    found = whole(3, 5000, rows, 12)
    found[-1, 9:] = 0
    return {"tokens": found}


def tokens_and_mask(rows: int) -> dict[str, object]:
    found = tokens(rows)
    return {**found, "mask": (found["tokens"] != 0).astype("int64")}


LENGTHS = "tokens.0:batch,tokens.1:length[1..512]"
SYSTEMS = (
    System("BiLSTM tagger", tagger, tokens, LENGTHS),
    System("BERT mini (transformers)", bert_mini, tokens_and_mask, f"{LENGTHS},mask.0:batch,mask.1:length[1..512]"),
)
