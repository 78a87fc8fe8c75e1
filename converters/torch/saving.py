"""A module in a Python program becomes files: the module with the sources of its classes, or a program of it."""

from __future__ import annotations

import copy
import shutil
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..plugin import Given, Saved
from ..spec import Table, Unreadable
from .examples import read, table_of

MAIN = "__main__"


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
    return Saved(place, rows, _sources(_modules_of(module), folder / "code"))


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


def _sources(names: Iterable[str], folder: Path) -> tuple[Path, ...]:
    """A folder with the sources that this program has imported from where those modules are; none of installed ones."""
    roots = {root for name in names if (root := _root(name)) is not None}
    for name in sorted(sys.modules):
        root, file = _root(name), getattr(sys.modules[name], "__file__", None)
        if root in roots and file is not None:
            target = folder / Path(file).resolve().relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    return (folder,) if roots else ()


def _root(name: str) -> Path | None:
    """The folder on the import path that has the module's source; None of an installed or a built-in module."""
    file = getattr(sys.modules.get(name), "__file__", None)
    if not file or Path(file).suffix != ".py" or name == MAIN:
        return None
    path = Path(file).resolve()
    installed = {Path(each).resolve() for each in (*sysconfig.get_paths().values(), *_site_folders())}
    depth = len(name.split(".")) - (path.name != "__init__.py")
    root = path.parents[depth]
    return None if any(path.is_relative_to(each) for each in installed) else root


def _site_folders() -> list[str]:
    return [each for each in sys.path if Path(each).name in ("site-packages", "dist-packages")]


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
