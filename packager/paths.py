"""Where mlpack keeps and makes things, and how a program is named that any folder can start."""

from __future__ import annotations

import atexit
import glob
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from .errors import UsageError


def kept() -> Path:
    """The folder of answers and files that never change; it may be deleted at any time."""
    return _passing() if passing() else _own()


def passing() -> bool:
    """Whether nothing can be kept, as the user's own folder cannot be written to, or others can write to it."""
    return not _usable(_own())


@lru_cache
def _usable(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        loose = next(filter(_is_open, (folder, *(path for path in folder.iterdir() if path.is_dir()))), None)
    except OSError:
        return False
    if loose:
        words = f"nothing in {folder} is used: {loose} is another user's, or others can write to it"
        print(f"mlpack: note: {words}; chmod -R go-w {folder} closes it", file=sys.stderr)
    return not loose and os.access(folder, os.W_OK)


def _is_open(folder: Path) -> bool:
    """Whether others than this user can put something into the folder."""
    status = folder.lstat()
    return status.st_uid != os.geteuid() or bool(status.st_mode & 0o022) or folder.is_symlink()


def _own() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlpack"


@lru_cache(maxsize=1)
def _passing() -> Path:
    """A folder for this process alone."""
    folder = tempfile.mkdtemp(prefix="mlpack-kept-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@contextmanager
def models_folder() -> Iterator[tuple[Path, Path]]:
    """A temporary folder, and one in it that a model's process may write in."""
    with tempfile.TemporaryDirectory(prefix="mlpack-") as name:
        scratch = Path(name, "scratch")
        scratch.mkdir()
        try:
            yield Path(name), scratch
        finally:
            try:
                shutil.rmtree(scratch, ignore_errors=True)
            except RecursionError:  # more folders within each other than Python's own removal goes down
                subprocess.run(["rm", "-rf", "--", str(scratch)], check=False)


def program(name: str) -> str:
    """A path made absolute; a bare name stays, to be looked up."""
    return os.path.abspath(name) if os.sep in name else name


def check_name(path: Path) -> None:
    """Nothing; `UsageError` where the path is no text: a bundle lists its files by names in UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        shown = str(path).encode("utf-8", "backslashreplace").decode()
        said = (
            f"the name {shown} is not UTF-8: rename the file, or set PYTHONUTF8=1 where only the locale is in the way"
        )
        raise UsageError(said) from error


def check_writable(place: Path) -> None:
    """Nothing; `UsageError` where nothing can be made at `place`, or in the folders that are yet to be made for it."""
    lowest = next(folder for folder in place.absolute().parents if folder.exists())
    if not lowest.is_dir() or not _takes_folders(lowest, place.name):
        raise UsageError(
            f"{place} cannot be written: {lowest} is not a folder that you may write to; give another --output"
        )


def _takes_folders(folder: Path, name: str) -> bool:
    """Whether a folder can be made in it: tried, for permissions alone say too much (/proc, a remote disk).

    It is named as `beside` names its own, so that what a killed process leaves is swept.
    """
    try:
        os.rmdir(tempfile.mkdtemp(prefix=f".{name}.{os.getpid()}.", suffix=".partial", dir=folder))
    except OSError:
        return False
    return True


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
