"""The description of a net and its weights, which are two files in one folder."""

from __future__ import annotations

from pathlib import Path

from ..spec import Unreadable

TEXT, WEIGHTS = ".prototxt", ".caffemodel"


def pair(path: Path) -> tuple[Path, Path | None]:
    """The `.prototxt` and the `.caffemodel` of a net, of which the user names either; None: there are no weights.

    The other is the file of the same name, else the only one of its kind in the folder. Raises `Unreadable` where it
    is not clear which.
    """
    if path.suffix.lower() == WEIGHTS:
        found = _other(path, TEXT)
        if found is None:
            raise Unreadable(f"{path.name} holds weights alone: put the net's {path.stem}{TEXT} beside it")
        return found, path
    return path, _other(path, WEIGHTS)


def _other(path: Path, suffix: str) -> Path | None:
    same = path.with_suffix(suffix)
    if same.is_file():
        return same
    there = sorted(each for each in path.parent.iterdir() if each.suffix.lower() == suffix and each.is_file())
    if len(there) > 1:
        names = ", ".join(each.name for each in there[:4])
        raise Unreadable(
            f"the folder of {path.name} has several files {suffix} ({names}): rename the one that belongs to it to "
            f"{same.name}"
        )
    return there[0] if there else None
