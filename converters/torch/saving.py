"""A module in a Python program becomes files: the module with the sources of its classes, or a program of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._worker.own_sources import MAIN, sources
from ..plugin import Given, Saved
from ..spec import Table, Unreadable
from .examples import read, table_of


def save(module: Any, example: Any, given: Given, folder: Path) -> Saved:
    """The files of the module, which is left as it is, and of its example: a tensor, an array, a tuple, a dict, a path.

    A class of the running program or a notebook has no file that another process could import: of such a module the
    program is saved, as torch.export records it.
    """
    import torch

    if not isinstance(module, torch.nn.Module):
        raise Unreadable(f"the model is a {type(module).__name__}: give a torch.nn.Module")
    own = copy.deepcopy(module).to("cpu").eval()
    place = folder / f"{type(module).__name__}.pt"
    rows = Path(example) if isinstance(example, (str, Path)) else _saved(example, folder / "example.pt")
    if any(name == MAIN for name in _modules_of(module)):
        place = place.with_suffix(".pt2")
        torch.export.save(_program(own, _table(rows), given), str(place))
        return Saved(place, rows)
    torch.save(own, str(place))
    return Saved(place, rows, sources(_modules_of(module), folder / "code"))


def _saved(example: Any, path: Path) -> Path:
    """The file of an example, whose arrays become tensors."""
    import numpy as np
    import torch
    from torch.utils import _pytree as pytree

    def tensor(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.detach().cpu()
        return torch.as_tensor(value) if isinstance(value, (np.ndarray, np.generic, int, float)) else value

    tensors = pytree.tree_map(tensor, example)
    table_of("the example", tensors)
    torch.save(tensors, str(path))
    return path


def _modules_of(module: Any) -> set[str]:
    """The names of the Python modules that define the classes of a module and of those inside it."""
    return {type(part).__module__ for part in module.modules()}


def _table(path: Path) -> Table:
    """The tensors of an example's file by name."""
    import numpy as np

    if path.suffix.lower() in (".pt", ".pth"):
        return read(path)
    found = np.load(path, allow_pickle=False)
    return {"X": found} if isinstance(found, np.ndarray) else dict(found)


def _program(module: Any, table: Table, given: Mapping[str, Any]) -> Any:
    """The program of the module, with the axes free that the user says."""
    import torch

    from ._capture import apart, plain_program, resized
    from ._capture import given as call_of
    from .dims import free_axes
    from .model import tensors, wrapped

    model = wrapped(module, given)
    call = model.call(tuple(table))
    args, kwargs = call.arguments(tensors(table))
    axes = free_axes(model, {name: values.shape for name, values in call.renamed(table).items()})
    flat = call_of(module, args, kwargs, [axes.get(name, {}) for name in call.names], call.names)
    return plain_program(flat, resized(flat.tensors, flat.axes, apart(flat)), torch.export.Dim.DYNAMIC)
