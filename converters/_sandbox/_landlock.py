"""Restricts access to files, and to processes outside, by Linux's Landlock."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Sequence

from ._kernel import LANDLOCK_ADD, LANDLOCK_CREATE, LANDLOCK_RESTRICT, call, machine

_EXECUTE, _WRITE, _READ, _REMOVE_FOLDER, _REMOVE, _MAKE_FOLDER, _MAKE_FILE = (1 << bit for bit in (0, 1, 2, 4, 5, 7, 8))
_MOVE, _TRUNCATE, _DEVICE = (1 << bit for bit in (13, 14, 15))
_MAKE_OTHERS = 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12
"""Devices, sockets, pipes and symbolic links: mlpack's own process uses the same folder."""
_ON_A_FILE = _EXECUTE | _WRITE | _READ | _TRUNCATE | _DEVICE
_IN_A_FOLDER = _WRITE | _READ | _REMOVE_FOLDER | _REMOVE | _MAKE_FOLDER | _MAKE_FILE | _MOVE | _TRUNCATE
_TCP = 1 | 2
_SIGNALS_AND_ABSTRACT_SOCKETS = 1 | 2
_VERSION = 1
_MOVE_SINCE, _TRUNCATE_SINCE, _NETWORK_SINCE, _DEVICE_SINCE, _SCOPES_SINCE = 2, 3, 4, 5, 6


def available() -> int:
    """Returns the version of Landlock in this kernel; 0 for none."""
    if not machine():
        return 0
    try:
        return call(LANDLOCK_CREATE, None, 0, _VERSION)
    except OSError:
        return 0


def restrict(writable: Sequence[str], readable: Sequence[str], executable: Sequence[str]) -> int:
    """Restricts this thread and everything that it starts; returns the version in force, 0 for none.

    Files can be written only in the folders `writable` and to /dev/null; read there and in `readable`, folders and
    files; executed only where `executable` names them.
    """
    version = available()
    if not version:
        return 0
    handled = _known(version)
    rules = struct.pack("QQQ", handled, _TCP, _SIGNALS_AND_ABSTRACT_SOCKETS)
    size = 8 if version < _NETWORK_SINCE else 16 if version < _SCOPES_SINCE else 24
    try:
        ruleset = call(LANDLOCK_CREATE, ctypes.create_string_buffer(rules, size), size, 0)
    except OSError:
        return 0
    try:
        for path in writable:
            _allow(ruleset, path, _IN_A_FOLDER & handled)
        _allow(ruleset, os.devnull, (_WRITE | _READ | _TRUNCATE | _DEVICE) & handled)
        for path in readable:
            _allow(ruleset, path, _READ)
        for path in executable:
            _allow(ruleset, path, _EXECUTE | _READ)
        call(LANDLOCK_RESTRICT, ruleset, 0)
    except OSError:
        return 0
    finally:
        os.close(ruleset)
    return version


def _known(version: int) -> int:
    """Returns the file rights that this version can restrict."""
    since = ((_MOVE, _MOVE_SINCE), (_TRUNCATE, _TRUNCATE_SINCE), (_DEVICE, _DEVICE_SINCE))
    later = sum(right for right, first in since if version >= first)
    first = _EXECUTE | _WRITE | _READ | _REMOVE_FOLDER | _REMOVE | _MAKE_FOLDER | _MAKE_FILE | _MAKE_OTHERS
    return first | later


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # it is unreadable anyway, or was removed
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _ON_A_FILE
        rule = struct.pack("=Qi", rights, place)
        call(LANDLOCK_ADD, ruleset, _VERSION, ctypes.create_string_buffer(rule, len(rule)), 0)
    finally:
        os.close(place)
