"""System calls that Python's standard library has no function for."""

from __future__ import annotations

import ctypes
import os
import platform
import sys

SYSCALL_OF: dict[str, dict[str, int]] = {
    "x86_64": {"seccomp": 317, "capset": 126, "unshare": 272, "mount": 165},
    "aarch64": {"seccomp": 277, "capset": 91, "unshare": 97, "mount": 40},
}
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
_NO_NEW_PRIVILEGES = 38
_CAPABILITIES_VERSION_3 = 0x20080522
_READ_ANY_FILE = 1 << 2
"""CAP_DAC_READ_SEARCH: root can read other users' files, as it can outside."""


def machine() -> str:
    """Returns the architecture if its system call numbers are known; else an empty string."""
    known = sys.platform == "linux" and sys.maxsize > 2**32 and sys.byteorder == "little"
    return platform.machine() if known and platform.machine() in SYSCALL_OF else ""


def call(number: int, *arguments: object) -> int:
    """Makes the system call and returns its result; raises `OSError` where it fails."""
    library = ctypes.CDLL(None, use_errno=True)
    result: int = library.syscall(ctypes.c_long(number), *map(_word, arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def _word(value: object) -> object:
    """Returns the argument in full width: ctypes would pass a plain int as 32 bits."""
    return ctypes.c_long(value) if isinstance(value, int) else value


def give_up_privileges() -> None:
    """Gives up privileges: no started program gains more rights than this one, and root becomes a plain user here.

    Raises `OSError` on an unknown system or machine.
    """
    if not machine():
        raise OSError("the sandbox does not support this system")
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_NO_NEW_PRIVILEGES, *map(ctypes.c_ulong, (1, 0, 0, 0))) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION_3, 0)
    kept = _READ_ANY_FILE if os.geteuid() == 0 else 0
    try:
        call(SYSCALL_OF[machine()]["capset"], header, (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0))
    except OSError:  # root of a container without the capability to keep
        call(SYSCALL_OF[machine()]["capset"], header, (ctypes.c_uint32 * 6)())
