"""Copies the graphs that the model's process writes into a folder that it cannot reach.

By then the process may run the author's code, so its files are untrusted: they are read once, while they are copied.
"""

from __future__ import annotations

from pathlib import Path

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.graph_file import BESIDE, DATA, LARGE, MOST_MESSAGE, External, NoGraph, external_tensors

from ..errors import ConversionError
from ..travel import duplicate, receive, share
from .replies import odd
from .source import Source

NAME = "model.onnx"


def graph_in(path: Path, folder: Path, source: Source, most: int) -> Artifact:
    """The graph that the process wrote at `path`, now in `folder`; raises `ForgedError` and `ConversionError`.

    Its external data are what the process wrote beside it, of at most `most` bytes, or files of the source.
    """
    folder.mkdir(parents=True)
    try:
        main = receive(path, folder / NAME, MOST_MESSAGE)
        tensors = external_tensors(main)
        names = sorted({_location(tensor) for tensor in tensors})
        for name in names:
            _data(name, path, folder, source, most)
    except NoGraph as error:
        raise ConversionError(f"the converter gave no graph of this model: {error}") from error
    except (OSError, ValueError) as error:
        raise odd(f"{path.name} cannot be taken: {error}") from error
    for tensor in tensors:
        _check_extent(tensor, (folder / _location(tensor)).stat().st_size)
    return Artifact.of(main, names)


def source_as_graph(folder: Path, source: Source) -> Artifact:
    """The model's own file as the graph: the same file on disk where it is large."""
    folder.mkdir(parents=True)
    file = source.files[0]
    (share if file.stat().st_size > LARGE else duplicate)(file, folder / NAME)
    return Artifact.of(folder / NAME)


def _location(tensor: External) -> str:
    return dict(tensor.entries).get("location", "")


def _data(name: str, path: Path, folder: Path, source: Source, most: int) -> None:
    """Copies one file of external data into `folder`; refuses any but the two known locations."""
    known = source.relative()
    if name == DATA:
        receive(path.with_name(DATA), folder / DATA, most)
    elif name.startswith(BESIDE) and name.removeprefix(BESIDE) in known:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        share(known[name.removeprefix(BESIDE)], folder / name)
    else:
        raise ValueError(f"it keeps numbers in {name[:80]!r}")


def _check_extent(tensor: External, size: int) -> None:
    entries = dict(tensor.entries)
    places = [entries.get(key, "0") or "0" for key in ("offset", "length")]
    if any(not (n.isascii() and n.isdigit() and len(n) < 19) for n in places) or sum(map(int, places)) > size:
        raise odd(f"the numbers of {tensor.tensor[:80]!r} are not where its graph says")
