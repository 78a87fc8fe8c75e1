"""The result of a scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scan:
    """The names in a model file and what it does with them.

    `kind`: see `scan`. `names`: every dotted name that a loader would look up, `?` for one that is not static.
    `refused`: those that are not on the allow-list. `packages`: top packages of the names. `root`: dotted name of the
    outermost object's class, empty when unknown. `versions`: distribution to version, where the state has one.
    `own`: the names that only the user allows. `referred`: those that may be held as values, but not called.
    `forbidden`: a use of listed names that no model makes; empty: none.
    """

    kind: str
    names: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    root: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    referred: tuple[str, ...] = ()
    forbidden: str = ""
