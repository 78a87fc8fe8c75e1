"""Layers of torch that answer otherwise while they are recorded: an encoder's padding, a mask that is looked at.

Each is replaced while a program is recorded, and only then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any


@contextmanager
def as_in_eager() -> Iterator[None]:
    """While a program is recorded, layers of `nn.Transformer` compute what they compute outside of it."""
    from torch.nn.modules import transformer

    with ExitStack() as stack:
        _swap(stack, transformer.TransformerEncoder, "forward", _encoder(transformer.TransformerEncoder.forward))
        _swap(stack, transformer, "_detect_is_causal_mask", _said_to_be_causal)
        yield


def _swap(stack: ExitStack, owner: Any, name: str, value: Any) -> None:
    stack.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, value)


def _said_to_be_causal(mask: Any, is_causal: Any = None, size: Any = None) -> bool:
    """The hint, as it was given: to find it out, torch looks at the values of the mask, which stays in use anyway."""
    return is_causal is True


def _encoder(forward: Any) -> Any:
    """The encoder, which outside of a recording answers 0 (before its norm) where a padding on the right is."""

    def run(
        self: Any, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: Any = None, **other: Any
    ) -> Any:
        if not _leaves_padding_out(self, src, mask, src_key_padding_mask):
            return forward(self, src, mask, src_key_padding_mask, is_causal, **other)
        norm, self.norm = self.norm, None
        try:
            found = forward(self, src, mask, src_key_padding_mask, is_causal, **other)
        finally:
            self.norm = norm
        found = _without_padding(found, src_key_padding_mask)
        return found if norm is None else norm(found)

    return run


def _leaves_padding_out(encoder: Any, src: Any, mask: Any, padding: Any) -> bool:
    import torch

    return bool(
        padding is not None
        and mask is None
        and src.dim() == 3
        and getattr(encoder, "use_nested_tensor", False)
        and getattr(encoder, "mask_check", True)
        and not encoder.layers[0].training
        and torch.backends.mha.get_fastpath_enabled()
    )


def _without_padding(found: Any, padding: Any) -> Any:
    """0 at padded places, where the padding of every row is on the right."""
    import torch

    kept = padding.logical_not()
    again = (kept[:, 1:] & ~kept[:, :-1]).to(torch.int64).sum()
    leave_out = ~kept & (again == 0)
    return torch.where(leave_out.unsqueeze(-1), torch.zeros((), dtype=found.dtype), found)
