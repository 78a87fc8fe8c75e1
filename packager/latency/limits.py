"""Limits on the p99 of one row, by provider: `--max-p99 5`, `--max-p99 cuda=1.5ms`, `[limits]` in mlpack.toml."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomllib

from ..errors import UsageError
from ..providers import names

Times = Mapping[str, float]
"""By provider, milliseconds; the empty name is for the provider that is measured."""
UNITS = {"": 1.0, "ms": 1.0, "us": 1e-3, "s": 1e3}
TIME = re.compile(r"([0-9.eE+-]+)\s*(us|ms|s|)")
TABLE = "limits"


@dataclass(frozen=True)
class Limits:
    """`given`: on the command line, each of which must be measured. `others`: of mlpack.toml, for all machines."""

    given: Times = field(default_factory=dict)
    others: Times = field(default_factory=dict)

    def of(self, provider: str) -> float | None:
        """The limit of a provider in milliseconds; None: there is none. The command line wins."""
        own = self.given.get(provider, self.given.get(""))
        return self.others.get(provider) if own is None else own

    def check_measured(self, measured: Iterable[str], command: str) -> None:
        """Raises `UsageError` for a limit of the command line on a provider that the command does not measure."""
        known = set(measured)
        if other := sorted(set(self.given) - known - {""}):
            raise UsageError(
                f"--max-p99 {other[0]}=…: {command} measures on {', '.join(sorted(known))} here; "
                f"measure it with mlpack prove BUNDLE --provider {other[0]} --max-p99 {other[0]}=…"
            )


NONE = Limits()


def of_command_line(config: Path | None, given: Iterable[Any]) -> Limits:
    """The limits of the command line, and of the table `[limits]` of a file; raises `UsageError`."""
    return Limits(times_of(given), _in_file(config) if config else {})


def times_of(given: Iterable[Any]) -> Times:
    """The limits in texts of the command line; raises `UsageError`."""
    found: dict[str, float] = {}
    for each in given:
        name, equals, value = str(each).rpartition("=")
        if equals and name not in names():
            raise UsageError(f"--max-p99 {each}: there is no provider {name!r}; there are: {', '.join(names())}")
        found[name] = milliseconds(value, f"--max-p99 {each}")
    return found


def milliseconds(value: Any, where: str) -> float:
    """A time as a number of milliseconds, or as a text with its unit; raises `UsageError`."""
    found = TIME.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
    try:
        time = float(found[1]) * UNITS[found[2]] if found else math.nan
    except ValueError:
        time = math.nan
    if not 0 <= time < math.inf:
        raise UsageError(f"{where}: write a time in milliseconds, or with its unit: 5, 5ms, 800us, 0.1s")
    return time


def times_in(plain: Any, where: str) -> Times:
    """The limits of a table `[limits]`; raises `UsageError`."""
    if not isinstance(plain, dict):
        raise UsageError(f"{where} must be a table of providers: write [{TABLE}]")
    unknown = sorted(set(plain) - set(names()))
    if unknown:
        raise UsageError(f"{where}: there is no provider {unknown[0]!r}; there are: {', '.join(names())}")
    return {name: milliseconds(value, f"{where}.{name}") for name, value in plain.items()}


def _in_file(path: Path) -> Times:
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"there is no configuration file {path}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    return times_in(plain.get(TABLE, {}), f"{path}: {TABLE}")
