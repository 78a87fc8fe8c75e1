"""Where the folder's own files have which bytes, so that a large graph refers to them and the bundle has them once."""

from __future__ import annotations

import json
import mmap
from pathlib import Path

from ..graph_file import BESIDE
from ..torch._storing import LEAST, digest

_LENGTH = 8


def stored_in(folder: Path) -> dict[bytes, tuple[str, int, int]]:
    """By the digest of a tensor's bytes: the location from the graph, the offset and the length."""
    found: dict[bytes, tuple[str, int, int]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        found.update(_of_file(path))
    return found


def _of_file(path: Path) -> dict[bytes, tuple[str, int, int]]:
    import numpy as np

    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        length = int.from_bytes(mapped[:_LENGTH], "little")
        header = json.loads(mapped[_LENGTH : _LENGTH + length])
        header.pop("__metadata__", None)
        places = [entry["data_offsets"] for entry in header.values()]
        found = {}
        for start, end in places:
            at, size = _LENGTH + length + start, end - start
            if size >= LEAST:
                values = np.frombuffer(mapped, np.uint8, size, at)
                found[digest(values)] = (BESIDE + path.name, at, size)
                del values  # or the map cannot be closed
        return found
