"""The targets and the kinds of images by name, for `--help`: importing their folders would make it slow."""

from __future__ import annotations

from pathlib import Path
from pkgutil import iter_modules

_ROOT = Path(__file__).parent.parent


def _names(folder: str, *others: str) -> str:
    """The variants of a folder, by the names of its files."""
    found = (module.name for module in iter_modules([str(_ROOT / folder)]))
    return ", ".join(sorted(name for name in found if name[0] != "_" and name not in others))


TARGETS = _names("runtimes", "engine", "server", "spec")
KINDS = _names("packager/images", "spec")
