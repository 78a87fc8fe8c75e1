"""The options that frameworks and variants declare; imports only those with options, so that `--help` is fast."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from mlpack_toolkit import converters
from mlpack_toolkit.converters.plugin import Option

from . import variants
from .accuracy.asked import OPTIONS, SCOPE


@cache
def declared() -> Mapping[str, tuple[Option, ...]]:
    """The options by framework."""
    found = {name: converters.load(name).source.options for name in converters.with_options()}
    of_kinds = {name: variants.load(name).options for name in variants.with_options()}
    return {**found, SCOPE: OPTIONS, **of_kinds}


def old_spellings() -> Mapping[str, tuple[str, Option]]:
    """The framework and the option by the option's older spelling, `--object`."""
    return {o.old_spelling: (name, o) for name, options in declared().items() for o in options if o.old_spelling}
