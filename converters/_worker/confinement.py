"""Enters the sandbox before the model is read, and recognises errors that the sandbox may have caused."""

from __future__ import annotations

import ctypes.util
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .. import _sandbox, for_container, given_to
from ..messages import Load

_find_library = ctypes.util.find_library


def confine(path: Path, request: Load) -> dict[str, Any]:
    """Enters the sandbox and returns its facts; starts the program that this kind of file needs first."""
    other = _started(path, request)
    ctypes.util.find_library = _library
    facts = _sandbox.enter(os.getcwd(), request.needed)
    return facts if other is None else _sandbox.both(facts, other)


def alone() -> dict[str, Any]:
    """Enters the sandbox where no model is loaded; the facts of it."""
    ctypes.util.find_library = _library
    return _sandbox.enter(os.getcwd(), ())


def _started(path: Path, request: Load) -> dict[str, Any] | None:
    converter = for_container(request.kind, path)
    if converter is None or converter.source.start is None:
        return None
    return converter.source.start(given_to(converter, request.options)) or _sandbox.facts(0, False, False, False)


def _library(name: str) -> str | None:
    """A library that this process has loaded, by its name; Python's own way starts a compiler to find one.

    Without this threadpoolctl finds no C library, and so no library with threads.
    """
    pattern = re.compile(rf"lib{re.escape(name)}\.so(\.[0-9]+)*")
    try:
        mapped = Path("/proc/self/maps").read_text(errors="replace")
    except OSError:
        mapped = ""
    found = next((part for part in map(os.path.basename, mapped.split()) if pattern.fullmatch(part)), None)
    return found or _find_library(name)


def refused(error: BaseException, sandbox: Mapping[str, Any] | None) -> bool:
    """Whether the sandbox may have caused an error."""
    return sandbox is not None and any(isinstance(each, PermissionError) for each in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__
