"""A module's copy in float64 asked as such, also where its own code names float32: that becomes float64, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def in_float64() -> Iterator[None]:
    """While this holds, torch makes float64 where float32 is asked for, by name or by default."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _mode():
            yield
    finally:
        torch.set_default_dtype(before)


def _mode() -> Any:
    import torch
    from torch.utils import _pytree as pytree
    from torch.utils._python_dispatch import TorchDispatchMode

    fresh = (torch.ops.aten.lift_fresh.default, torch.ops.aten.lift_fresh_copy.default)

    def wider(value: Any) -> Any:
        return torch.float64 if value is torch.float32 else value

    class Float64(TorchDispatchMode):  # type: ignore[misc, unused-ignore]
        """Sees every operator that runs."""

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            args, kwargs = pytree.tree_map(wider, (args, kwargs or {}))
            if func in fresh and args[0].dtype is torch.float32:  # torch.tensor(..., dtype=torch.float32)
                return func(args[0].double())
            return func(*args, **kwargs)

    return Float64()
