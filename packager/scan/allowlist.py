"""Which names a model file may ask for: the list beside this file, and what the user adds. Never the file itself."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files

Names = Iterable[tuple[str, str]]


@cache
def _listed(file: str) -> frozenset[str]:
    return frozenset(files(__package__).joinpath(file).read_text("utf-8").split())


def allowed_names() -> frozenset[str]:
    """The dotted names that may be looked up and called while a model loads."""
    return _listed("allowed.txt")


def referred_names() -> frozenset[str]:
    """The dotted names of functions that a model may refer to, but that loading it may not call."""
    return _listed("referred.txt")


def refused_names(
    names: Names, called: Names, allow: Iterable[str], mentioned: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """The dotted names out of `(module, qualified name)` that nothing allows, sorted.

    `called`: those of them that loading would call. `allow`: what the user trusts besides. `mentioned`: functions of
    the user's own that may be looked up, but not called.
    """
    extra, callable_names = frozenset(allow), allowed_names()
    known = callable_names | referred_names() | mentioned
    refused = {n for n in names if not _is_allowed(*n, extra, known)}
    refused |= {n for n in called if not _is_allowed(*n, extra, callable_names)}
    return tuple(sorted(f"{module}.{name}" for module, name in refused))


def _is_allowed(module: str, name: str, extra: frozenset[str], listed: frozenset[str]) -> bool:
    """Whether the name is listed, or named or covered by what the user trusts.

    A qualified name with a dot is a walk over attributes (`os.system` in a module that imports `os`): neither the list
    nor a trusted module covers it, only the user's own word for exactly this name.
    """
    dotted = f"{module}.{name}"
    if dotted in extra:
        return True
    if not name.isidentifier():
        return False
    return dotted in listed or any(module == m or module.startswith(f"{m}.") for m in extra if m)
