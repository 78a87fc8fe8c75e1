"""Lists targets and kinds of images for `--help` by file name, as importing their folders would be slow."""

from __future__ import annotations

from pathlib import Path
from pkgutil import iter_modules

_ROOT = Path(__file__).parent.parent


def _names(folder: str, *others: str) -> str:
    """The variants in a folder, by file name."""
    found = (module.name for module in iter_modules([str(_ROOT / folder)]))
    return ", ".join(sorted(name for name in found if name[0] != "_" and name not in others))


TARGETS = _names("runtimes", "engine", "server", "spec")
KINDS = _names("packager/images", "spec")
VARIANTS = ("compiled",)
"""Forms of the model that a bundle can have beside the reference."""
