"""Resource limits of a process."""

from __future__ import annotations

import platform
import resource
import sys


def limit(memory: int) -> None:
    """Limits data, and each file that is written, to `memory` bytes; 0 for no limit.

    Does not limit address space: graphics drivers reserve far more of it than there is memory.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory:
        for each in (_kind(), resource.RLIMIT_FSIZE):
            _, most = resource.getrlimit(each)
            bound = memory if most == resource.RLIM_INFINITY else min(memory, most)
            resource.setrlimit(each, (bound, bound))


def limited() -> bool:
    """Returns whether memory is limited."""
    return resource.getrlimit(_kind())[0] != resource.RLIM_INFINITY


def _kind() -> int:
    return resource.RLIMIT_DATA if _counts_all() else resource.RLIMIT_AS


def _counts_all() -> bool:
    """Returns whether the limit on data counts all private memory, as in Linux since 4.7."""
    if sys.platform != "linux":
        return False
    release = platform.release().split(".")
    return tuple(int("".join(filter(str.isdigit, part)) or 0) for part in release[:2]) >= (4, 7)
