"""Keras's older files (.h5): HDF5 whose root names the model's classes in a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlpack_toolkit.converters._trust.keras_config import LARGEST_TEXT, Names, names_in, parsed
from mlpack_toolkit.converters._trust.rules import Refused

from ...errors import ModelError
from ..allowlist import Trust
from ..hdf5 import MAGIC, root_attributes
from ..keras_look import scanned, told
from ..result import Scan
from ..scanner import Scanner
from ..values import Fault

LARGEST = 8 << 30
CONFIG, VERSION = "model_config", "keras_version"


def scan(path: Path, trust: Trust) -> Scan | None:
    """The classes that are not Keras's own."""
    try:
        found, version = _read(path)
    except Refused as refused:
        return Scan("keras_h5", forbidden=str(refused))
    return scanned("keras_h5", found, trust, version)


def _read(path: Path) -> tuple[Names, str]:
    size = path.stat().st_size
    if size > LARGEST:
        raise Fault(f"it is larger than {LARGEST >> 30} GiB: save the model as a .keras file")
    texts = root_attributes(path.read_bytes())
    if CONFIG not in texts:
        raise ModelError(
            f"{path} holds no model: it has weights alone. Save the whole model: model.save('FILE.keras')."
        )
    if len(texts[CONFIG]) > LARGEST_TEXT:
        raise Refused(f"has a configuration of more than {LARGEST_TEXT >> 20} MiB")
    try:
        config = parsed(texts[CONFIG])
    except ValueError as error:
        raise Fault(f"its configuration is no JSON ({error})") from error
    return names_in(config, size), texts.get(VERSION, b"").decode("utf-8", "replace")


def look(path: Path) -> dict[str, Any]:
    """The version of Keras, and how many layers of each class."""
    return dict(told(*_read(path)))


SCANNER = Scanner(
    name="keras_h5",
    title="older files of Keras (.h5)",
    sniff=lambda path, head: head.startswith(MAGIC),
    scan=scan,
    look=look,
)
