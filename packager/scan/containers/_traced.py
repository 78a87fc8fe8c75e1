"""Makes a scan's result from the names in a trace of pickle instructions."""

from __future__ import annotations

from typing import Any

from ..machine import Trace
from ..result import Scan
from ..values import Dtype, Instance, Listing, Mapping


def traced(kind: str, trace: Trace, root: str) -> Scan:
    """The scan of a file whose loader would look up the trace's names; `root`: the outermost object's class."""
    unknown = {"?"} if trace.unresolved else set()
    return Scan(
        kind,
        tuple(sorted({f"{module}.{name}" for module, name in trace.names} | unknown)),
        tuple(sorted({*trace.trust.refused(trace.names, trace.called), *unknown})),
        tuple(sorted({module.split(".")[0] for module, _ in trace.names})),
        root,
        dict(sorted(trace.versions.items())),
        _used(trace, "own"),
        _used(trace, "referred"),
        trace.forbidden,
    )


def class_of(value: Any) -> str:
    """The dotted name of the class of what a pickle holds; empty where it is not known."""
    if isinstance(value, Instance):
        return value.of.dotted
    if isinstance(value, Dtype):
        return "numpy.dtype"
    known = {Mapping: "builtins.dict", Listing: "builtins.list", tuple: "builtins.tuple"}
    return known.get(type(value), "")


def _used(trace: Trace, use: str) -> tuple[str, ...]:
    return tuple(sorted(f"{module}.{name}" for module, name in trace.names if trace.trust.use(module, name) == use))
