"""Notes on a finished build: ignored columns, and `--allow` options that were not needed."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mlpack_toolkit.converters.plugin import Options
from mlpack_toolkit.converters.spec import Signature

from .scan import Scan
from .scan.allowlist import allowed_names

MOST_NAMES = 8


def ignored_columns(signature: Signature, columns: Sequence[str]) -> tuple[str, ...]:
    """A line for the example's columns that the model does not take, most often a label."""
    known = {name for t in signature.inputs for name in (t.name, *t.columns)}
    ignored = [name for name in columns if name not in known]
    if not ignored or len(ignored) == len(columns) or len(columns) == len(signature.inputs):
        return ()
    more = f" and {len(ignored) - MOST_NAMES} more" if len(ignored) > MOST_NAMES else ""
    return (f"ignored columns: {', '.join(ignored[:MOST_NAMES])}{more} (the model does not take them)",)


def needless_options(options: Options, framework: str) -> tuple[str, ...]:
    """A line for each framework with options from the user, other than the model's."""
    others = sorted(name for name in options if name != framework)
    return tuple(f"the options of {name} were not needed: the model is one of {framework}" for name in others)


def needless_trust(found: Scan, allow: Sequence[str]) -> tuple[str, ...]:
    """A line for each `--allow` that this file does not need."""
    return tuple(_line(name, why) for name in allow if (why := _why(name, found.names, allowed_names())))


def _line(name: str, why: str) -> str:
    return f"--allow {name} was not needed ({why}): leave it out"


def _why(name: str, asked: Sequence[str], trusted: Collection[str]) -> str:
    covered = [each for each in asked if each == name or each.startswith(f"{name}.")]
    if not covered:
        return "the file uses no such name"
    return "" if any(each not in trusted for each in covered) else "it is on the allow-list"
