"""The seccomp filter for every system call of a sandboxed process.

It denies the calls on a list, and every call that is newer than the list. A list of allowed calls would be shorter to
review, but each release of a C library or of a framework may make another, harmless call that it lacks.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from ._kernel import SYSCALL_OF, call, machine
from ._syscalls import HIGHEST, denied, weighed

START = 1 << 20
"""Address of the name of the one program that a launcher may become: nothing can be mapped there again."""
ROOM = 1 << 16

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
_LOAD, _AND, _EQUAL, _ABOVE, _ATLEAST, _ANY, _RETURN = 0x20, 0x54, 0x15, 0x25, 0x35, 0x45, 0x06
_ALLOW, _ERROR, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE = 0, 4
_SET_FILTER, _ALL_THREADS = 1, 1

_THREAD = 0x100 | 0x800 | 0x10000  # CLONE_VM, CLONE_SIGHAND, CLONE_THREAD
_NEW_NAMESPACES = 0x7E020000
_SHARED_AND_NOBODYS = 0x01 | 0x20  # MAP_SHARED, MAP_ANONYMOUS
_GROWS_DOWN = 0x100  # MAP_GROWSDOWN: it could reach the address from above
_MOVES = 2  # MREMAP_FIXED
_TYPE_INTO_TERMINAL, _TERMINAL_OF_LINUX = 0x5412, 0x541C
_UNIX, _STREAM = 1, 1

Line = tuple[int, int, int, int]


def install(starts: bool) -> bool:
    """Installs the filter; returns whether it is in force for all threads. `starts`: allow the program at `START`.

    Try it in a child first: under an emulator the calls may be those of another machine, which kills the process.
    """
    known = machine()
    if not known:
        return False
    lines = _filter(known, os.getpid(), starts)
    code = b"".join(struct.pack("HBBI", *line) for line in lines)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(lines), ctypes.addressof(buffer))
    words = (_SET_FILTER, _ALL_THREADS, ctypes.create_string_buffer(program))
    try:
        return call(SYSCALL_OF[known]["seccomp"], *words) == 0  # else the id of a thread that could not take it
    except OSError:
        return False


def _filter(known: str, process: int, starts: bool) -> list[Line]:
    lines = [_load(_ARCHITECTURE), _jump(_EQUAL, _AUDIT[known], 1, 0), _end(_KILL), _load(_NUMBER)]
    if known == "x86_64":
        lines += [_jump(_ATLEAST, _X32, 0, 1), _end(_KILL)]
    lines += [_jump(_ABOVE, HIGHEST, 0, 1), _deny(errno.ENOSYS)]
    for name, number in weighed(known).items():
        block = _block(name, process, starts)
        lines += [_jump(_EQUAL, number, 0, len(block)), *block]
    for number in denied(known):
        lines += [_jump(_EQUAL, number, 0, 1), _deny(errno.EPERM)]
    return [*lines, _end(_ALLOW)]


def _block(name: str, process: int, starts: bool) -> list[Line]:
    """Returns the lines that check a call by its arguments; every path through them ends it."""
    blocks = {
        "execve": [*_whole(0), *_only_if(0, START)] if starts else [_deny(errno.EPERM)],
        "clone": [
            *(_low(0), (_AND, 0, 0, _THREAD), _jump(_EQUAL, _THREAD, 1, 0), _deny(errno.EPERM)),
            *(_low(0), _jump(_ANY, _NEW_NAMESPACES, 0, 1), _deny(errno.EPERM), _end(_ALLOW)),
        ],
        "clone3": [_deny(errno.ENOSYS)],  # its flags are in memory; the C library falls back to `clone`
        "kill": _only_if(0, process),
        "tkill": _only_if(0, process),
        "tgkill": _only_if(0, process),
        "prlimit64": [_low(0), _jump(_EQUAL, 0, 1, 0), _jump(_EQUAL, process, 0, 1), _end(_ALLOW), _deny(errno.EPERM)],
        "socketpair": [
            *(_low(0), _jump(_EQUAL, _UNIX, 1, 0), _deny(errno.EPERM)),
            *(_low(1), (_AND, 0, 0, 0xF), _jump(_EQUAL, _STREAM, 0, 1), _end(_ALLOW), _deny(errno.EPERM)),
        ],
        "ioctl": [
            *(_low(1), _jump(_EQUAL, _TYPE_INTO_TERMINAL, 1, 0), _jump(_EQUAL, _TERMINAL_OF_LINUX, 0, 1)),
            *(_deny(errno.EPERM), _end(_ALLOW)),
        ],
        "mmap": [
            # Such memory counts towards no limit.
            *(_low(3), (_AND, 0, 0, _SHARED_AND_NOBODYS), _jump(_EQUAL, _SHARED_AND_NOBODYS, 0, 1)),
            *(_deny(errno.ENOMEM), _low(3), _jump(_ANY, _GROWS_DOWN, 0, 1), _deny(errno.EPERM), *_not_at_start(0)),
        ],
        "mremap": [_low(3), _jump(_ANY, _MOVES, 1, 0), _end(_ALLOW), *_not_at_start(4)],
    }
    return blocks[name]


def _only_if(argument: int, value: int) -> list[Line]:
    return [_low(argument), _jump(_EQUAL, value, 0, 1), _end(_ALLOW), _deny(errno.EPERM)]


def _whole(argument: int) -> list[Line]:
    """Denies addresses beyond 32 bits."""
    return [_high(argument), _jump(_EQUAL, 0, 1, 0), _deny(errno.EPERM)]


def _not_at_start(argument: int) -> list[Line]:
    """Denies addresses up to `START` and its room, but not 0, which leaves the choice to the kernel."""
    return [
        *(_high(argument), _jump(_EQUAL, 0, 1, 0), _end(_ALLOW)),
        *(_low(argument), _jump(_EQUAL, 0, 0, 1), _end(_ALLOW)),
        *(_jump(_ATLEAST, START + ROOM, 0, 1), _end(_ALLOW), _deny(errno.EPERM)),
    ]


def _load(offset: int) -> Line:
    return (_LOAD, 0, 0, offset)


def _low(argument: int) -> Line:
    return _load(16 + 8 * argument)


def _high(argument: int) -> Line:
    return _load(20 + 8 * argument)


def _jump(how: int, value: int, yes: int, no: int) -> Line:
    return (how, yes, no, value)


def _end(action: int) -> Line:
    return (_RETURN, 0, 0, action)


def _deny(error: int) -> Line:
    return _end(_ERROR | error)
