"""What torch's exporter gets wrong, mended: operators of torch written with others, before they are translated.

One file per kind of fault; each says what it requires and ensures.
"""

from __future__ import annotations

from typing import Any

from . import packed
from .attention import ATTENTION
from .bags import BAGS
from .empty import EMPTY
from .extremes import EXTREMES
from .fix import Fix, Form, guarded
from .nan import NAN
from .ordering import ORDERING
from .pooling import POOLING
from .recurrent import RECURRENT
from .resizing import LINEAR, RESIZING
from .scattering import SCATTERING

FIXES: tuple[Fix, ...] = (
    NAN,
    EXTREMES,
    EMPTY,
    SCATTERING,
    BAGS,
    ORDERING,
    POOLING,
    RESIZING,
    LINEAR,
    packed.PACKED,
    RECURRENT,
    ATTENTION,
)
"""All of them; no operator is in two."""


def fixed(program: Any, without: frozenset[str] = frozenset()) -> Any:
    """The program without the operators that the exporter gets wrong. `without`: names of fixes to leave out."""
    import torch

    from .._scan import nodes

    fixes = [fix for fix in FIXES if fix.name not in without]
    chosen = {name: form for fix in fixes for name, form in fix.forms.items()}
    forms = {_operator(name): guarded(name, form) for name, form in chosen.items()}
    used = {node.target for node in nodes(program)}
    if not used & forms.keys() and not any(map(_writes, used)):
        return program
    for fix in fixes:
        fix.prepare(nodes(program))
    with torch.no_grad():
        return program.run_decompositions(dict(forms))


def _writes(target: Any) -> bool:
    """Whether an operator writes into a tensor: it becomes one that does not, of which there may be a form."""
    return bool(getattr(getattr(target, "_schema", None), "is_mutable", False))


def _operator(name: str) -> Any:
    """The operator of torch by its name, `aten::mean.dim`."""
    import torch

    if name == packed.NAME:
        return packed.operator()
    space, _, rest = name.partition("::")
    packet, _, overload = rest.partition(".")
    return getattr(getattr(getattr(torch.ops, space), packet), overload or "default")


__all__ = ["FIXES", "Fix", "Form", "fixed"]
