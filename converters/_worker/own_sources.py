"""The sources of a user's own classes, as a Python program has imported them."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

MAIN = "__main__"
"""The module of a class that has no file to import it from."""


def sources(names: Iterable[str], folder: Path) -> tuple[Path, ...]:
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
