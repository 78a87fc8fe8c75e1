"""Gives the process a shared-memory folder of its own.

Intel's OpenMP (numpy on MKL) kills the process where it cannot write there, and Python's interprocess locks need
it.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from ._kernel import SYSCALL_OF, call, machine

FOLDER = "/dev/shm"
_OF_MOUNTS, _OF_USERS = 0x00020000, 0x10000000
_WITH_ALL_BELOW, _PRIVATE = 0x4000, 0x40000
_NO_PROGRAMS_NO_DEVICES = 2 | 4 | 8
_OPTIONS = b"size=64m,mode=1777"


def private() -> bool:
    """Mounts a folder that no other process sees; returns False where the system does not permit it.

    If a step in the middle is refused, the process is left as user nobody: try it in a child first.
    """
    try:
        _own_mounts()
        _mount(b"none", b"/", None, _WITH_ALL_BELOW | _PRIVATE, None)
        _mount(b"tmpfs", FOLDER.encode(), b"tmpfs", _NO_PROGRAMS_NO_DEVICES, _OPTIONS)
    except OSError:
        return False
    return True


def _own_mounts() -> None:
    """Unshares the mounts: directly for root, else in a user namespace that maps each id to itself."""
    unshare = SYSCALL_OF[machine()]["unshare"]
    try:
        call(unshare, _OF_MOUNTS)
    except OSError:
        user, group = os.geteuid(), os.getegid()
        call(unshare, _OF_MOUNTS | _OF_USERS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _mount(source: bytes, target: bytes, kind: bytes | None, flags: int, options: bytes | None) -> None:
    words = (ctypes.c_char_p(word) for word in (source, target, kind))
    call(SYSCALL_OF[machine()]["mount"], *words, flags, ctypes.c_char_p(options))
