"""What a model must never do in the worker, heard by an audit hook."""

from __future__ import annotations

import ast
import collections
import ctypes
import dataclasses
import os
import sys
import sysconfig
import typing
from pathlib import Path
from types import CodeType
from typing import Any

from mlpack_toolkit.converters._trust.unpickler import modern

_DEEDS = (
    *("os.system", "subprocess.", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.startfile", "pty."),
    *("socket.", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.ch"),
    *("shutil.", "os.putenv", "os.unsetenv", "ftplib.", "urllib.", "http.", "smtplib.", "webbrowser.", "sqlite3."),
    *("code.__new__", "function.__new__", "marshal.loads", "os.kill", "signal.", "sys.settrace", "sys.setprofile"),
    *(
        "ctypes.dl",
        "ctypes.call_function",
        "ctypes.PyObj_FromPtr",
        "pickle.find_class",
        "compile",
        "exec",
        "import",
        "open",
        "builtins.input",
        "mmap.__new__",
    ),
)
_STOPPED = ("os.", "subprocess.", "pty.", "socket.", "shutil.")
"""What is not done even where there is no sandbox."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Canary:
    """`heard`: what was tried while it was `listening`.

    `tops`: packages that may be imported late. `names`: what a loader may look up.
    """

    def __init__(self, scratch: str, tops: frozenset[str], names: frozenset[str]) -> None:
        self.heard: list[str] = []
        self.listening = False
        self._tops, self._names = tops, names
        self._free = (scratch, "/dev/null")
        paths = sysconfig.get_paths()
        self._installed = (
            "<frozen",
            str(Path(__file__).parents[3] / "src/mlpack_toolkit/converters"),
            *(paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")),
        )
        self._silent = False
        sys.addaudithook(self._hook)

    def fire(self, *args: Any, **named: Any) -> float:
        """What a file may mention, and loading may not call."""
        self.heard.append("the canary was called")
        return 1.0

    def take(self) -> list[str]:
        """What was heard, once."""
        heard, self.heard = self.heard, []
        return heard

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.listening or self._silent or not event.startswith(_DEEDS):
            return
        self._silent = True
        try:
            if self._harmless(event, args):
                return
            self.heard.append(f"{event} {args}"[:300])
            if event.startswith(_STOPPED):
                raise PermissionError(f"the canary stops {event}")
        finally:
            self._silent = False

    def _harmless(self, event: str, args: tuple[Any, ...]) -> bool:
        if event == "open":
            return self._reads(*args)
        if event == "import":
            return str(args[0]).split(".")[0] in self._tops
        if event in ("exec", "marshal.loads", "code.__new__"):
            code = args[0]
            known = isinstance(code, CodeType) and self._is_installed(code.co_filename)
            return event != "exec" or known or _written_by_library()
        if event == "pickle.find_class":
            return not self._names.isdisjoint({f"{args[0]}.{args[1]}", modern(2, *args)})
        if event in ("ctypes.dlsym", "ctypes.dlopen"):
            library = str(getattr(args[0], "_name", "")) if event == "ctypes.dlsym" else ""
            return self._is_installed(library) or os.path.basename(_caller(ctypes.__file__)) == "threadpoolctl.py"
        if event == "compile":
            return self._is_installed(str(args[1])) or _written_by_library()
        return False

    def _reads(self, path: Any, mode: Any, flags: Any) -> bool:
        writes = bool(set(mode) & set("wax+")) if isinstance(mode, str) else bool(int(flags or 0) & _WRITES)
        return not writes or isinstance(path, int) or os.path.abspath(os.fsdecode(path)).startswith(self._free)

    def _is_installed(self, name: str) -> bool:
        return name.startswith(self._installed)


def _written_by_library() -> bool:
    """Whether Python's own modules run what they themselves wrote, or parse a literal or a type."""
    return _caller() in (collections.__file__, dataclasses.__file__, ast.__file__, typing.__file__)


def _caller(*through: str) -> str:
    """The file whose code does it, behind those that it goes through."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename in (__file__, *through):
        frame = frame.f_back
    return frame.f_code.co_filename
