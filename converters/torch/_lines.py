"""The line of the user's code that something came from: of a node, of an error, of a guard of the tracer."""

from __future__ import annotations

import linecache
import re
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<within>\S+)')


def of_node(node: Any) -> str:
    """The line that a node of the program came from, as ` (model.py, line 12: "return x * 2")`; empty: not known."""
    found = _FRAME.findall(str(node.meta.get("stack_trace") or ""))
    return _last((file, int(line)) for file, line, _ in found)


def of_error(error: BaseException) -> str:
    """The last line of the user's own that an error passed through."""
    return of_frames(traceback.extract_tb(error.__traceback__))


def of_frames(frames: Iterable[traceback.FrameSummary]) -> str:
    """The last line of the user's own among frames of a stack."""
    return _last((frame.filename, frame.lineno or 0) for frame in frames)


def of_guard(guard: Any) -> str:
    """The line at which the tracer had to know a size."""
    frame = guard.sloc.framework_loc
    known = getattr(frame, "filename", None)
    return _last([(str(known), int(frame.lineno))]) if known else ""


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that led to it, the first of all last."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def nodes_of(error: BaseException) -> list[Any]:
    """The nodes of a program that were at work when an error rose, the innermost last; they are in its frames."""
    import torch

    found: list[Any] = []
    for each in chain_of(error):
        for frame, _ in traceback.walk_tb(each.__traceback__):
            node = frame.f_locals.get("node")
            if isinstance(node, torch.fx.Node):
                found.append(node)
    return found


def _last(places: Iterable[tuple[str, int]]) -> str:
    own = [(file, line) for file, line in places if not _framework(file)]
    if not own:
        return ""
    file, line = own[-1]
    text = linecache.getline(file, line).strip()
    return f' ({Path(file).name}, line {line}: "{text}")' if text else f" ({Path(file).name}, line {line})"


def _framework(file: str) -> bool:
    """Whether a file is of torch, of Python itself or of this converter, or no file at all."""
    import torch

    folders = (Path(torch.__file__).parent, Path(sysconfig.get_paths()["stdlib"]), Path(__file__).parent.parent)
    if "site-packages" in file:
        return Path(torch.__file__).parent in Path(file).parents
    return file.startswith("<") or any(folder in Path(file).parents for folder in folders)
