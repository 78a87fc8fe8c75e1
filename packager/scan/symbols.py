"""Adapts the scan's symbols to the interface of the rules in `converters._trust`."""

from __future__ import annotations

from collections.abc import Mapping as Entries
from typing import Any

from mlpack_toolkit.converters._trust.tensors import is_layer

from .values import Args, Dtype, Fault, Global, Instance, Listing, Mapping, Unknown, Wrapper, WrapperArgs, WrapperClass

_ROLES = {
    type(None): "NoneType",
    bool: "bool",
    int: "int",
    str: "str",
    tuple: "tuple",
    Args: "args",
    Mapping: "dict",
    Listing: "list",
    Dtype: "dtype",
    Unknown: "?",
    Wrapper: "wrapper",
    WrapperArgs: "args",
    WrapperClass: "name",
}
_USES = {"listed": "name", "referred": "function", "own": "own"}


class Symbols:
    """The rules' `Look` at the scan's values."""

    def role(self, value: Any) -> str:
        """See `Look`; empty for a name that nothing allows, since the file is refused for it."""
        if type(value) is Instance:
            return value.role
        if type(value) is not Global:
            return _ROLES[type(value)]
        return "function" if value.use == "listed" and is_layer(value.dotted) else _USES.get(value.use, "?")

    def name(self, value: Any) -> str:
        return value.dotted if isinstance(value, Global) else ""

    def items(self, value: Any) -> tuple[Any, ...] | None:
        return value if isinstance(value, tuple) else None

    def texts(self, value: Any) -> tuple[str, ...] | None:
        """See `Look`; a list that was read may not change later."""
        if type(value) is str:
            return (value,)
        if type(value) is Listing:
            value.spent = True
        members = value.members if type(value) is Listing and not value.opaque else value
        return tuple(members) if isinstance(members, (tuple, list)) and all(type(m) is str for m in members) else None

    def entries(self, value: Any) -> Entries[str, Any] | None:
        return value.items if type(value) is Mapping and not value.opaque else None

    def dtype(self, value: Any) -> tuple[int | None, bool]:
        if type(value) is not Dtype:
            return None, False
        value.built = True
        return value.itemsize, value.has_object

    def unbuilt(self, value: Any) -> tuple[int | None, bool]:
        return (value.itemsize, value.has_object) if type(value) is Dtype and not value.built else (None, False)

    def elements(self, value: Any) -> int | None:
        return value.elements if type(value) is Instance and value.role == "storage" else None

    def kind(self, value: Any) -> str:
        return str(value.kind)

    def fields(self, value: Any) -> Entries[str, Any] | None:
        """See `Look`; numpy keeps this dict itself, so it may not change later."""
        try:
            return value.spend() if type(value) is Mapping else None
        except Fault:
            return None


SYMBOLS = Symbols()
