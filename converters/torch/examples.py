"""Examples in files: tensors that `torch.save` wrote, and the sizes of those in a second file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..spec import Table, Unreadable
from .call import path_of
from .loading import require_new
from .model import array

SUFFIXES = (".pt", ".pth")


def read(path: Path) -> Table:
    """The tensors of a file by name: `0` and `1` of a tuple, `x` of a dict, `state.0` and `1.0` inside of one."""
    import torch

    require_new(torch.__version__)
    try:
        loaded = torch.load(str(path), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises UnpicklingError, RuntimeError and others
        raise Unreadable(
            f"{path.name} is no file of tensors alone (torch.load refuses it with weights_only=True): save tensors, or "
            "a tuple or dict of them, with torch.save, or all of them with numpy.savez"
        ) from error
    return table_of(path.name, loaded)


def table_of(where: str, value: Any) -> Table:
    """A tensor, or a tuple or a dict of tensors, as arrays by name. Raises `Unreadable`; `where`: for its message."""
    import torch
    from torch.utils import _pytree as pytree

    leaves, _ = pytree.tree_flatten_with_path(value if isinstance(value, Mapping) else _in_a_row(value))
    for path, leaf in leaves:
        if not isinstance(leaf, torch.Tensor):
            raise Unreadable(
                f"{where} holds a {type(leaf).__name__} at {path_of(path)!r}: give tensors, and tuples and dicts of "
                "them; a number is torch.tensor(number)"
            )
    return {path_of(path): array(path_of(path), leaf) for path, leaf in leaves}


def _in_a_row(value: Any) -> Any:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)
