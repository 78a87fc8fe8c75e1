"""Cache and scratch directories; resolving program paths."""

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
    """The cache folder, whose values and files never change; it may be deleted at any time."""
    return _passing() if passing() else _own()


def passing() -> bool:
    """Whether the cache is temporary, as the user's own folder is not writable, or others can write to it."""
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
        print(f"mlpack: note: {words}; fix it with chmod -R go-w {folder}", file=sys.stderr)
    return not loose and os.access(folder, os.W_OK)


def _is_open(folder: Path) -> bool:
    """Whether other users can write to the folder."""
    status = folder.lstat()
    return status.st_uid != os.geteuid() or bool(status.st_mode & 0o022) or folder.is_symlink()


def _own() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlpack"


@lru_cache(maxsize=1)
def _passing() -> Path:
    """A temporary folder of this process."""
    folder = tempfile.mkdtemp(prefix="mlpack-kept-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@contextmanager
def models_folder() -> Iterator[tuple[Path, Path]]:
    """A temporary folder, and one in it that the model's process may write to."""
    with tempfile.TemporaryDirectory(prefix="mlpack-") as name:
        scratch = Path(name, "scratch")
        scratch.mkdir()
        try:
            yield Path(name), scratch
        finally:
            try:
                shutil.rmtree(scratch, ignore_errors=True)
            except RecursionError:  # folders nested deeper than Python's own removal descends
                subprocess.run(["rm", "-rf", "--", str(scratch)], check=False)


def program(name: str) -> str:
    """The absolute path of a program; a bare name stays, to be looked up in PATH."""
    return os.path.abspath(name) if os.sep in name else name


def check_name(path: Path) -> None:
    """Raises `UsageError` where the path is not UTF-8, as a bundle lists its files by names in UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        shown = str(path).encode("utf-8", "backslashreplace").decode()
        said = f"the name {shown} is not UTF-8: rename the file, or set PYTHONUTF8=1 where only the locale is wrong"
        raise UsageError(said) from error


def check_writable(place: Path) -> None:
    """Raises `UsageError` where `place`, or the folders still to be made for it, cannot be created."""
    lowest = next(folder for folder in place.absolute().parents if folder.exists())
    if not lowest.is_dir() or not _takes_folders(lowest, place.name):
        raise UsageError(
            f"{place} cannot be written: {lowest} is not a folder that you may write to; give another --output"
        )


def check_new(place: Path) -> None:
    """Raises `UsageError` where the folder `place` exists, or cannot be created."""
    check_writable(place)
    if place.exists():
        raise UsageError(f"{place} exists already: give another --output, or remove it")


@contextmanager
def new_folder(place: Path) -> Iterator[Path]:
    """A folder that becomes `place` at the end; nothing is there before."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with beside(place) as made:
        yield made
        made.chmod(0o755)
        made.rename(place)


def _takes_folders(folder: Path, name: str) -> bool:
    """Whether a folder can be created in it, by trying, as permissions alone promise too much (/proc, a remote disk).

    Its name has the form of `beside`'s, so that the folder of a killed process is swept.
    """
    try:
        os.rmdir(tempfile.mkdtemp(prefix=f".{name}.{os.getpid()}.", suffix=".partial", dir=folder))
    except OSError:
        return False
    return True


@contextmanager
def beside(place: Path) -> Iterator[Path]:
    """A temporary folder beside `place`, so that its content can be renamed to `place`; always removed at the end."""
    _sweep(place)
    names = {"prefix": f".{place.name}.{os.getpid()}.", "suffix": ".partial"}
    with tempfile.TemporaryDirectory(**names, dir=place.parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _sweep(place: Path) -> None:
    """Removes the folders of killed processes; none where running processes cannot be identified."""
    for folder in place.parent.glob(f".{glob.escape(place.name)}.*.partial"):
        process = folder.name.removeprefix(f".{place.name}.").split(".")[0]
        if Path("/proc").is_dir() and not Path("/proc", process).exists():
            shutil.rmtree(folder, ignore_errors=True)
