"""A data frame that R saved with `saveRDS`: its columns as they are in the file, and its factors' levels."""

from __future__ import annotations

from pathlib import Path

from .rds import Fault, Item, read

SHOWN = 3


def frame_in(path: Path) -> dict[str, Item]:
    """The columns by name; `Fault` where the file holds no data frame."""
    root = read(path.read_bytes()).root
    classes = root.text("class")
    if "data.frame" not in classes:
        shown = [c if c.isprintable() and 0 < len(c) <= 80 else repr(c[:80]) for c in classes[:SHOWN]]
        raise Fault(f"it holds no data frame, but: {', '.join(shown) or root.kind}")
    if root.kind != "list" or len(root.names()) != len(root.value) or len(set(root.names())) != len(root.value):
        raise Fault("its columns have no names, or not each its own")
    return root.items()


def levels_in(path: Path) -> dict[str, list[str]]:
    """The levels of the factors in a data frame; its cells are not looked at."""
    return {name: item.text("levels") for name, item in frame_in(path).items() if item.text("levels")}
