"""Irreversibly restricts a process before it loads a model: programs, network, writing, other processes, memory.

Uses Linux's Landlock, seccomp and namespaces, without privileges. Where the kernel supports fewer of them, the
process runs with those there are, and reports which. Standard library only; Python 3.9.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from . import _landlock, _seccomp, _shared
from ._kernel import give_up_privileges, machine
from ._limits import limited
from ._secrets import readable

GUARDS = ("programs", "network", "writing", "sharing", "secrets", "processes", "memory")
"""No new programs or processes; no connections; no writing outside one folder; none in the memory that programs share
by name; no reading of the user's keys; no access to other processes; a limit on memory and on each file."""


def enter(folder: str, needed: Sequence[str] = (), programs: Sequence[str] = ()) -> dict[str, Any]:
    """Enters the sandbox; returns the guards in force (see `facts`). Call it before any model or new thread.

    `folder`: the only writable one. `needed`: readable folders that may be created only later.
    `programs`: for a launcher: the program that it becomes, and the loader of that.
    """
    if not machine():
        return facts(0, False, limited())
    alone = _alone()
    shared, seccomp = tried()
    own = alone and shared and _shared.private()
    try:
        give_up_privileges()
    except OSError:
        return facts(0, False, limited())
    paths, hides = readable(needed)
    landlock = _landlock.restrict([folder, _shared.FOLDER], paths, programs) if alone else 0
    return facts(landlock, seccomp and _seccomp.install(bool(programs)), limited(), hides, own)


def tried() -> tuple[bool, bool]:
    """Tries in a child process: whether it gets its own shared memory folder, and whether it survives the filter."""
    child = os.fork()
    if not child:
        shared = _shared.private()
        with suppress(OSError):
            give_up_privileges()
        os._exit(int(shared) + 2 * (_seccomp.install(False) and os.getppid() > 0))
    status = os.waitpid(child, 0)[1]
    found = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0
    return bool(found & 1), bool(found & 2)


def both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Returns the facts that hold for both of two processes."""
    held = [name for name in one["held"] if name in other["held"]]
    versions = {"landlock": min(one["landlock"], other["landlock"]), "seccomp": one["seccomp"] and other["seccomp"]}
    return {"held": held, "open": [name for name in GUARDS if name not in held], **versions}


def facts(landlock: int, seccomp: bool, memory: bool, hides: bool = True, shared: bool = True) -> dict[str, Any]:
    """Returns the facts: `held`: the guards in force; `open`: the others; `landlock`: its version or 0; `seccomp`."""
    held = {
        "programs": seccomp or landlock > 0,
        "network": seccomp,
        "writing": landlock > 0 and seccomp,
        "sharing": landlock > 0 and shared,
        "secrets": landlock > 0 and hides,
        "processes": landlock > 0 and seccomp,
        "memory": memory,
    }
    return {
        "held": [name for name in GUARDS if held[name]],
        "open": [name for name in GUARDS if not held[name]],
        "landlock": landlock,
        "seccomp": seccomp,
    }


def _alone() -> bool:
    """Returns whether no other thread runs: Landlock restricts only this one, and others could act for the model."""
    return len(os.listdir("/proc/self/task")) == 1 if os.path.isdir("/proc/self/task") else False
