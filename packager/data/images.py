"""Reads images, a file or a folder of them in the order of their names, as the tensors of an input."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mlpack_toolkit.converters.spec import BATCH, Signature, Table, TensorSpec
from mlpack_toolkit.runtimes.engine.errors import Refusal
from mlpack_toolkit.runtimes.engine.images import NoDecoder, image_input, pixels_of, table_of

from ..errors import MissingToolError, UsageError
from .bombs import MOST_BYTES

SUFFIXES = (".jpg", ".jpeg", ".png")
EXTRA = "image-input"
MOST_FILE = 256 << 20
MOST_PIXELS = 1 << 27
"""Of one image: 384 MiB decoded."""
MOST_BATCH = 64
PIECE = 64 << 20
"""The most bytes of one batch; a single image may be larger."""
Array = np.ndarray[Any, Any]


def is_images(path: Path) -> bool:
    """Whether the path is a folder, or a file that is an image by its suffix."""
    return path.is_dir() or path.suffix.lower() in SUFFIXES


def files_of(path: Path) -> list[Path]:
    """The images of a folder by name, hidden files left out; the file itself. Raises `UsageError` for other files."""
    if not path.is_dir():
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
        return [path]
    found = sorted((each for each in path.iterdir() if not each.name.startswith(".")), key=lambda each: each.name)
    others = [each.name for each in found if each.suffix.lower() not in SUFFIXES or not each.is_file()]
    if others:
        raise UsageError(f"the folder {path.name} holds {others[0]!r}, which is no JPEG or PNG file: move it elsewhere")
    if not found:
        raise UsageError(f"the folder {path.name} holds no images: give JPEG or PNG files")
    return found


def pixels(file: Path, spec: TensorSpec | None = None) -> Array:
    """The pixels `[h, w, 3]` of a file; raises `UsageError`, and `MissingToolError` without Pillow."""
    size = file.stat().st_size
    if size > MOST_FILE:
        raise UsageError(f"{file.name} has {size:,} bytes, and an image has at most {MOST_FILE:,}: give a smaller one")
    try:
        return pixels_of(file.read_bytes(), spec, MOST_PIXELS)
    except NoDecoder as error:
        raise MissingToolError(f"{error}: pip install 'mlpack-toolkit[{EXTRA}]'") from error
    except Refusal as error:
        raise UsageError(f"{file.name}: {error}") from error


def example_of(path: Path) -> Array:
    """All images as one array `[n, h, w, 3]`; `UsageError` where their sizes differ."""
    found: list[Array] = []
    files = files_of(path)
    for file in files:
        found.append(pixels(file))
        if found[-1].shape != found[0].shape:
            raise UsageError(
                f"{files[0].name} has {_size(found[0])} pixels and {file.name} {_size(found[-1])}: an example holds "
                "images of one size"
            )
        if len(found) * found[0].nbytes > MOST_BYTES // 2:
            raise UsageError(f"{path.name} needs more than a quarter of this machine's memory: give fewer images")
    return np.stack(found)


def _size(image: Array) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"


def batches(path: Path, signature: Signature) -> Iterator[tuple[Table, list[str]]]:
    """The tensors of the images and their names, together where sizes agree and the model takes a batch of any size."""
    try:
        spec = image_input(signature)
    except Refusal as error:
        raise UsageError(f"{path.name}: {error}") from error
    group: list[Array] = []
    names: list[str] = []
    for file in files_of(path):
        one = pixels(file, spec)
        if group and (len(group) >= _most(spec, signature, group[0]) or one.shape != group[0].shape):
            yield _table(spec, group, names), names
            group, names = [], []
        group.append(one)
        names.append(file.name)
    yield _table(spec, group, names), names


def _most(spec: TensorSpec, signature: Signature, image: Array) -> int:
    """The most images of one batch."""
    if len(spec.shape) == 3:
        return 1
    if isinstance(spec.shape[0], int):
        return spec.shape[0]
    if spec.shape[0] != BATCH or not signature.has_rows:
        return 1
    return max(1, min(MOST_BATCH, PIECE // max(1, image.nbytes), signature.batch_sizes.largest))


def _table(spec: TensorSpec, group: list[Array], names: list[str]) -> Table:
    wanted = spec.shape[0] if len(spec.shape) == 4 and isinstance(spec.shape[0], int) else len(group)
    if len(group) != wanted:
        raise UsageError(f"the model takes {wanted} images of one size at once, and from {names[0]} on there are fewer")
    return table_of(spec, np.stack(group))
