"""Execution providers of ONNX Runtime; one file each, ending in `PROVIDER = Provider(...)`."""

from __future__ import annotations

from importlib import import_module

from ..errors import UsageError
from ..registry import names_in
from .spec import Provider


def names() -> tuple[str, ...]:
    """The names of the providers, sorted; imports none of their modules."""
    return names_in(__path__, "spec")


def load(name: str) -> Provider:
    """The provider of that name; raises `UsageError`."""
    if name not in names():
        raise UsageError(f"there is no provider {name!r}; there are: {', '.join(names())}")
    provider: Provider = import_module(f"{__name__}.{name}").PROVIDER
    return provider


def of(title: str) -> Provider | None:
    """The provider that ONNX Runtime calls so; None for one that mlpack does not know."""
    return next((each for each in map(load, names()) if each.title == title), None)


def name_of(title: str) -> str:
    """The name of the provider that ONNX Runtime calls so; that title itself for one that mlpack does not know."""
    found = of(title)
    return found.name if found else title
