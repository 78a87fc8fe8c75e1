"""Whether a module answers by its inputs alone: what draws random numbers, or remembers, has no graph."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Mapping
from typing import Any, Callable

from ..spec import Table, Unsupported
from ._scan import drawn_at
from .scripted import is_script

PLAIN = (bool, int, float, str, bytes, type(None))
SHARED = 16 << 20
"""Bytes of a buffer that a copy of a module does not copy."""
DEEPEST = 4
"""How deep lists and dicts of attributes are looked into."""


def check_pure(module: Any, ask: Callable[[], Table], fresh: Table) -> Table:
    """The second answer of `ask`. Raises `Unsupported` where the module is random or stateful, by what changes.

    `fresh`: the answer of the new module to the same tensors. What a module makes on that call and keeps (a table of
    positions) is no state, and is not watched; but the answer has to be that of later calls.
    """
    first = ask()
    before, drawn = dict(_state(module)), _generators()
    second = ask()
    after = dict(_state(module))
    if not _alike(drawn, _generators()):
        raise Unsupported(
            f"the module draws random numbers when it answers{drawn_at(ask)}, so that no graph can answer like it: "
            "switch that off in eval mode (F.dropout with training=self.training), or take the numbers as an input"
        )
    changed = sorted(name for name in before.keys() | after.keys() if not _alike(before.get(name), after.get(name)))
    if changed:
        raise Unsupported(
            f"the module remembers: its {changed[0]} changes with every call, and a graph answers by its inputs alone: "
            "take that state as an input and return it as an output"
        )
    other = _changed(first, second)
    if other:
        raise Unsupported(
            f"the module answers otherwise when it is called again with the same tensors (output {other[0]!r}): "
            "it keeps a state, or draws numbers that no generator of torch, numpy or Python gave"
        )
    other = [] if _profiles(module) else _changed(fresh, second)
    if other:
        raise Unsupported(
            f"the module answers its first call otherwise than the next ones with the same tensors (output "
            f"{other[0]!r}): what it makes on its first call and keeps changes its answers: make that in __init__"
        )
    return second


def untouched(module: Any) -> Any:
    """A copy of a module that was not called yet, with the same parameters; None where there can be none."""
    if _profiles(module):
        return None
    large = [each for each in module.buffers() if each.numel() * each.element_size() > SHARED]
    try:
        return copy.deepcopy(module, {id(each): each for each in (*module.parameters(), *large)})
    except Exception:  # a module may hold what cannot be copied
        return None


def check_first(module: Any, new: Any, ask: Callable[[Any], Table]) -> bool:
    """Whether a new module answers. Raises `Unsupported` where the one that was called before, with other tensors,
    answers otherwise: it keeps what it found in its first ones. `ask`: asks a module."""
    try:
        want = ask(new)
    except Exception:  # tensors of such sizes are not for this module
        return False
    try:
        got = ask(module)
    except Exception as error:
        other, why = ["output"], f" ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''})"
    else:
        other, why = _changed(want, got), ""
    if other:
        one, two = dict(_state(module)), dict(_state(new))
        kept = sorted(name for name in one.keys() | two.keys() if not _alike(one.get(name), two.get(name)))
        raise Unsupported(
            f"the module remembers its first call: its {kept[0] if kept else 'state'} keeps what it found in those "
            f"tensors, and its answers to others depend on it{why}: compute that in each call, or give it in __init__"
        )
    return True


def _changed(one: Table, other: Table) -> list[str]:
    """The outputs that are not the same in both answers."""
    names = one.keys() | other.keys()
    return sorted(name for name in names if not (name in one and name in other and _alike(one[name], other[name])))


def _profiles(module: Any) -> bool:
    """Whether a part of it is TorchScript, whose first run is one to learn from: what is compiled then rounds anew."""
    return any(map(is_script, module.modules()))


def _generators() -> Mapping[str, Any]:
    import numpy as np
    import torch

    _kind, keys, *rest = np.random.get_state()
    return {"torch": torch.get_rng_state(), "numpy": keys, "numpy's place": tuple(rest), "python": random.getstate()}


def _state(module: Any) -> Iterator[tuple[str, Any]]:
    """Every buffer and every plain attribute of the module and those inside it, by its path."""
    for path, part in module.named_modules():
        for name, value in vars(part).items():
            if not name.startswith("_"):
                yield from _plain(_joined("attribute", path, name), value, 0)
        for name, buffer in part._buffers.items():
            if buffer is not None:
                yield _joined("buffer", path, name), buffer.detach().clone()


def _joined(kind: str, path: str, name: str) -> str:
    return f"{kind} {path + '.' if path else ''}{name}"


def _plain(path: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    import torch

    if isinstance(value, PLAIN):
        yield path, value
    elif isinstance(value, torch.Tensor):
        yield path, value.detach().clone()
    elif isinstance(value, (list, tuple, dict, set)) and depth < DEEPEST:
        yield f"length of {path}", len(value)
        pairs = value.items() if isinstance(value, dict) else enumerate(value) if not isinstance(value, set) else ()
        for key, each in pairs:
            yield from _plain(f"{path}[{key!r}]", each, depth + 1)


def _alike(one: Any, other: Any) -> bool:
    import numpy as np
    import torch

    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, torch.Tensor) or isinstance(other, torch.Tensor):
        same = isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor) and one.shape == other.shape
        return same and one.dtype == other.dtype and bool(((one == other) | ((one != one) & (other != other))).all())
    if isinstance(one, np.ndarray):
        kind = one.dtype.kind
        return one.shape == other.shape and bool(np.array_equal(one, other, equal_nan=kind in "fc"))
    return bool(one == other) or (one != one and other != other)
