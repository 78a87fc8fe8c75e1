"""The names that a model file may look up: the lists beside this module plus the user's own; never the file's."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files

Names = Iterable[tuple[str, str]]


@cache
def _listed(file: str) -> frozenset[str]:
    return frozenset(files(__package__).joinpath(file).read_text("utf-8").split())


@cache
def allowed_names() -> frozenset[str]:
    """The dotted names that may be looked up and called while a model loads."""
    return _listed("allowed.txt") | _listed("allowed_torch.txt")


@cache
def referred_names() -> frozenset[str]:
    """The dotted names of functions that a model may hold as values but may not call while it loads."""
    return _listed("referred.txt") | _listed("referred_torch.txt")


class Trust:
    """Which use of a name is allowed.

    `names`: names that the user allows besides the lists, for any use. `mentioned`: functions of the user's own that a
    file may hold as values, but may not call while it loads.
    """

    def __init__(self, names: Iterable[str] = (), mentioned: frozenset[str] = frozenset()) -> None:
        self._names = frozenset(names)
        self._mentioned = referred_names() | mentioned

    def use(self, module: str, name: str) -> str:
        """`own`: any use; `listed`: use under the rules; `referred`: may be held as a value; empty: no use.

        A qualified name with a dot walks over attributes (`os.system` in a module that imports `os`): neither a list
        nor an allowed module covers it, only the user's `--allow` of exactly this name.
        """
        dotted = f"{module}.{name}"
        if dotted in self._names:
            return "own"
        if not name.isidentifier():
            return ""
        if dotted in allowed_names():
            return "listed"
        if any(module == m or module.startswith(f"{m}.") for m in self._names if m):
            return "own"
        return "referred" if dotted in self._mentioned else ""

    def allows(self, word: str) -> bool:
        """Whether the user allows exactly this name."""
        return word in self._names

    def refused(self, names: Names, called: Names) -> tuple[str, ...]:
        """The dotted names whose use is not allowed, sorted. `called`: the names that loading calls."""
        uses = {pair: self.use(*pair) for pair in {*names, *called}}
        return tuple(
            sorted(f"{m}.{n}" for (m, n), use in uses.items() if not use or (use == "referred" and (m, n) in called))
        )
