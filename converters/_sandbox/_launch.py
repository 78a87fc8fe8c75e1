"""Starts a process that enters the sandbox and then becomes one program, which can start no other.

The filter allows only the address of that program's name. Once the program runs, nothing can be mapped there again.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import enter
from ._kernel import machine
from ._seccomp import ROOM, START

_BOOT = """
import importlib.util, sys
folder, order = sys.argv[1:]
spec = importlib.util.spec_from_file_location(
    "_mlpack_sandbox", folder + "/__init__.py", submodule_search_locations=[folder])
package = importlib.util.module_from_spec(spec)
sys.modules["_mlpack_sandbox"] = package
spec.loader.exec_module(package)
from _mlpack_sandbox import _launch
_launch.become(order)
"""
_READ_WRITE, _PRIVATE_AND_NOBODYS, _EXACTLY_THERE = 3, 0x22, 0x100000


def start(
    program: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, here: Path
) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    """Starts the program in a sandbox; returns it, with a pipe to its standard input, and the guards in force.

    `folder`: the only writable one. `here`: its working folder.
    """
    read, write = os.pipe()
    order = folder / "start.json"
    request = {"program": program, "arguments": [program, *arguments], "folder": str(folder), "replies": write}
    order.write_text(json.dumps({**request, "environment": dict(environment)}))
    command = [sys.executable, "-I", "-S", "-c", _BOOT, str(Path(__file__).parent), str(order)]
    with os.fdopen(read, "rb") as replies:
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=here, pass_fds=(write,))
        finally:
            os.close(write)
        facts: dict[str, Any] = json.loads(replies.read() or b"{}")
    order.unlink()
    return process, facts


def become(order: str) -> None:
    """Replaces this process by the program of the order; never returns."""
    request = json.loads(Path(order).read_text())
    program = os.fsencode(request["program"])
    arguments = [os.fsencode(each) for each in request["arguments"]]
    environment = {os.fsencode(name): os.fsencode(value) for name, value in request["environment"].items()}
    place = _named(program) if machine() else None
    facts = enter(request["folder"], (), (request["program"], *loader_of(program)))
    os.write(request["replies"], json.dumps(facts).encode())
    os.close(request["replies"])
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if place is not None:
        lines = [name + b"=" + value for name, value in environment.items()]
        ctypes.CDLL(None).execve(ctypes.c_void_p(place), _strings(arguments), _strings(lines))
    os.execve(program, arguments, environment)


def _named(program: bytes) -> int:
    """Maps the program's name at the fixed address, and returns the address."""
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    words = (ctypes.c_void_p(START), ctypes.c_size_t(ROOM), _READ_WRITE, _PRIVATE_AND_NOBODYS | _EXACTLY_THERE, -1)
    place: int = library.mmap(*words, ctypes.c_long(0))
    if place != START:
        raise OSError(ctypes.get_errno(), "the launcher's own page is taken")
    ctypes.memmove(place, program + b"\0", len(program) + 1)
    return place


def _strings(lines: Sequence[bytes]) -> Any:
    return (ctypes.c_char_p * (len(lines) + 1))(*lines, None)


def loader_of(program: bytes) -> tuple[str, ...]:
    """Returns the dynamic loader that a 64-bit ELF file names, if any."""
    with open(program, "rb") as file:
        head = file.read(64)
        if head[:6] != b"\x7fELF\x02\x01":
            return ()
        (offset,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        file.seek(offset)
        table = file.read(size * count)
        for i in range(count):
            kind, _, start, _, _, length = struct.unpack_from("<IIQQQQ", table, i * size)
            if kind == 3:  # PT_INTERP
                file.seek(start)
                return (os.fsdecode(file.read(length).rstrip(b"\0")),)
    return ()
