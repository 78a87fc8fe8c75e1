"""Attention in which a row may see nothing: torch answers 0, a bare softmax NaN or the mean of all."""

from __future__ import annotations

import math
from typing import Any

from .fix import Fix


def _attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: Any = None,
    enable_gqa: bool = False,
) -> Any:
    import torch

    if attn_mask is None and query.dim() == 4:
        return NotImplemented
    factor = 1 / math.sqrt(query.size(-1)) if scale is None else scale
    if enable_gqa:
        groups = query.size(-3) // key.size(-3)
        key, value = (each.repeat_interleave(groups, -3) for each in (key, value))
    score = (query * factor) @ key.transpose(-2, -1)
    if is_causal:
        attn_mask = torch.ones(query.size(-2), key.size(-2), dtype=torch.bool).tril()
    if attn_mask is None:
        return score.softmax(-1) @ value
    if attn_mask.dtype is torch.bool:
        score = torch.where(attn_mask, score, torch.full((), -torch.inf, dtype=score.dtype))
        blind = ~attn_mask.any(-1, keepdim=True)
    else:
        score = score + attn_mask
        blind = (score == -torch.inf).all(-1, keepdim=True)
    weight = torch.where(blind, torch.zeros((), dtype=score.dtype), score.softmax(-1))
    return weight @ value


ATTENTION = Fix(
    "attention",
    requires="scaled_dot_product_attention with a mask, or of another rank than 4",
    ensures="a row that sees nothing answers 0, at every opset",
    forms={"aten::scaled_dot_product_attention": _attention},
)
