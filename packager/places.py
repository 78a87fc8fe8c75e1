"""Where mlpack keeps and makes things, and how a program is named that any folder can start."""

from __future__ import annotations

import atexit
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path


def kept() -> Path:
    """The folder of answers and files that never change; it may be deleted at any time."""
    return _passing() if passing() else _own()


def passing() -> bool:
    """Whether nothing can be kept, as the user's own folder cannot be written to."""
    try:
        _own().mkdir(parents=True, exist_ok=True)
    except OSError:
        return True
    return not os.access(_own(), os.W_OK)


def _own() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlpack"


@lru_cache(maxsize=1)
def _passing() -> Path:
    """A folder for this process alone."""
    folder = tempfile.mkdtemp(prefix="mlpack-kept-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def program(name: str) -> str:
    """A path made absolute; a bare name stays, to be looked up."""
    return os.path.abspath(name) if os.sep in name else name


@contextmanager
def beside(place: Path) -> Iterator[Path]:
    """A folder beside `place`, so that what is made in it can be renamed; gone at the end, come what may."""
    _sweep(place)
    names = {"prefix": f".{place.name}.{os.getpid()}.", "suffix": ".partial"}
    with tempfile.TemporaryDirectory(**names, dir=place.parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _sweep(place: Path) -> None:
    """Removes what a process that was killed has left; nothing where no one can tell who still runs."""
    for folder in place.parent.glob(f".{glob.escape(place.name)}.*.partial"):
        process = folder.name.removeprefix(f".{place.name}.").split(".")[0]
        if Path("/proc").is_dir() and not Path("/proc", process).exists():
            shutil.rmtree(folder, ignore_errors=True)
