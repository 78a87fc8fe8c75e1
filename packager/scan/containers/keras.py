"""Keras's own archives: a configuration in JSON that names classes, and their weights."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters._trust.keras_config import (
    CONFIG,
    METADATA,
    WEIGHTS,
    Names,
    config_of_archive,
    names_in,
    parsed,
)
from mlpack_toolkit.converters._trust.rules import Refused

from ..allowlist import Trust
from ..keras_look import scanned, told
from ..result import Scan
from ..scanner import Scanner
from ..values import Fault

MOST = 1 << 16


def scan(path: Path, trust: Trust) -> Scan | None:
    """The classes that are not Keras's own; None for another archive."""
    if not _is_keras(path):
        return None
    try:
        found, version = _read(path)
    except Refused as refused:
        return Scan("keras", forbidden=str(refused))
    return scanned("keras", found, trust, version)


def _is_keras(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise Fault(f"its zip archive is damaged ({error})") from error
    return {CONFIG, METADATA} <= names or {CONFIG, WEIGHTS} <= names


def _read(path: Path) -> tuple[Names, str]:
    try:
        config, weights = config_of_archive(path)
        with zipfile.ZipFile(path) as archive:
            small = METADATA in archive.namelist() and archive.getinfo(METADATA).file_size < MOST
            metadata = parsed(archive.read(METADATA)) if small else {}
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, KeyError) as error:
        raise Fault(f"its configuration cannot be read ({error})") from error
    version = metadata.get("keras_version") if isinstance(metadata, dict) else ""
    return names_in(config, weights), version if isinstance(version, str) else ""


def look(path: Path) -> dict[str, Any]:
    """The version of Keras, and how many layers of each class."""
    return dict(told(*_read(path)))


SCANNER = Scanner(
    name="keras",
    title="archives of Keras (.keras)",
    sniff=lambda path, head: head.startswith(b"PK"),
    scan=scan,
    look=look,
)
