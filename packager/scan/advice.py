"""Advice for the user about a model file with untrusted names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .allowlist import allowed_names

MAIN = "__main__."
_BY_VALUE = ("cloudpickle", "dill")
_MODULES = """
_io _pickle _posixsubprocess asyncio builtins cffi code codecs codeop copyreg ctypes dbm functools gc inspect io joblib
linecache logging marshal mmap multiprocessing nt operator pathlib pdb pickle pip pkgutil platform posix profile pty
pydoc runpy shelve shutil signal site socket tempfile threading timeit trace types urllib webbrowser zipimport
"""
"""Modules with a name that can run any code, or leads to one: the advice never offers to allow a name of theirs."""
_PARTS = "__import__ builtins compile eval exec getattr importlib os popen setattr subprocess sys system"
"""The same for any part of a dotted name, as it may walk over attributes of a harmless module."""
_SELF_MADE = (
    "{names} was defined in a notebook or a script, where no other program finds it: move it to a module (a .py file), "
    "import it from there, save the model again, and give the module's folder with --code DIR"
)
_HELD_BY_VALUE = (
    "The file holds code by value, as {tool} writes it, and loading it would run that code: move your own classes and "
    "functions to a module, save the model from there with joblib or pickle, and give the module's folder with "
    "--code DIR"
)
_SCRIPT = (
    "It is TorchScript: a program, which torch runs as it loads the file. If you trust who made it, add --allow "
    "torchscript; else export the module itself with torch.export.save, and give that file"
)
_SKORCH = (
    "A net of skorch holds its module in a second pickle, which skorch opens itself and no scan reads: build the "
    "fitted module alone (torch.save(net.module_, FILE)), or put a step of your own in its place that keeps the "
    "weights as arrays and has to_onnx_graph (docs/user-code.md)"
)
_ROWS = ("DataFrame", "Series", "Index", "Table")
_CONTAINERS = ("dict", "list", "tuple")


class _Sorted(NamedTuple):
    """Refused names by remedy."""

    own: tuple[str, ...]
    dangerous: tuple[str, ...]
    others: tuple[str, ...]


def advice(refused: Sequence[str], names: Iterable[str], root: str = "") -> str:
    """The sentences that follow the list of refused names. `names`: all names that the file looks up. `root`: the class
    of the object in the file."""
    if "torchscript" in refused:
        return _SCRIPT
    if any(_top(name) == "skorch" for name in refused):
        return _SKORCH
    tool = next((t for t in _BY_VALUE if any(_top(name) == t for name in names)), "")
    sorts = _sort(refused)
    sentences = [_HELD_BY_VALUE.format(tool=tool)] if tool else _remedies(sorts, _no_model(root))
    if sorts.own and not tool:
        sentences.insert(0, _SELF_MADE.format(names=_listed(sorts.own)))
    if "?" in refused and not tool:
        sentences.append(
            '"?" is a name that shows only when the file runs, and cannot be allowed: save the model again'
        )
    return ". ".join(sentences or ["Load it only if you know who made it"])


def _sort(refused: Iterable[str]) -> _Sorted:
    known = [name for name in refused if name != "?"]
    own = tuple(name for name in known if name.startswith(MAIN))
    dangerous = tuple(name for name in known if name not in own and is_dangerous(name))
    return _Sorted(own, dangerous, tuple(name for name in known if name not in (*own, *dangerous)))


def is_dangerous(name: str) -> bool:
    """Whether allowing the name would allow arbitrary code."""
    parts = name.split(".")
    anywhere = not set(_PARTS.split()).isdisjoint(parts) or any(re.fullmatch("__.*__", part) for part in parts)
    return anywhere or parts[0] in _MODULES.split()


def _no_model(root: str) -> str:
    """Advice for a file that holds no model, where no `--allow` helps; empty for other files."""
    package, kind = _top(root), root.rpartition(".")[2]
    if package in ("pandas", "polars", "pyarrow") and kind in _ROWS:
        held = f"The file holds rows (a {kind} of {package}), not a model"
        return f"{held}: save the fitted model, and give rows as --example"
    if package == "builtins" and kind in _CONTAINERS:
        return f"The file holds a {kind}, not a model: save the fitted model alone"
    return ""


def _remedies(sorts: _Sorted, no_model: str) -> list[str]:
    remedies = []
    if sorts.dangerous:
        names = _listed(sorts.dangerous)
        remedies.append(f"{names} can run any code, and no model needs that: save the model again without it")
    if sorts.others and not sorts.dangerous and no_model:
        remedies.append(no_model)
    elif sorts.others and not sorts.dangerous:
        flags = " ".join(f"--allow {name}" for name in sorts.others)
        known = {_top(name) for name in allowed_names()}
        if any(_top(name) not in known for name in sorts.others):
            remedies.append("If the module is your own, give its folder with --code DIR")
        remedies.append(f"If you trust what {'they do' if len(sorts.others) > 1 else 'it does'}, add {flags}")
    return remedies


def _top(name: str) -> str:
    return name.partition(".")[0]


def _listed(names: Sequence[str]) -> str:
    """The names as an enumeration, shortened when there are more than four."""
    if len(names) > 4:
        return f"{', '.join(names[:3])} and {len(names) - 3} more"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
