"""Lists targets and kinds of images for `--help` by file name, as importing their folders would be slow."""

from __future__ import annotations

from pathlib import Path

from .registry import names_in

_ROOT = Path(__file__).parent.parent


def _names(folder: str, *others: str) -> str:
    """The variants in a folder, by file name."""
    return ", ".join(names_in([str(_ROOT / folder)], *others))


TARGETS = _names("runtimes", "engine", "server", "spec")
KINDS = _names("packager/images", "spec")
PROVIDERS = _names("packager/providers", "spec")
VARIANTS = _names("packager/variants", "spec")
