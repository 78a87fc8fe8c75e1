"""Runs the work of a command: prints its facts, turns errors into exit codes, shows the steps on a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import click

from .errors import MlpackError, printable
from .shutdown import guard


def run(
    work: Callable[[], dict[str, Any]], as_json: bool, show: Callable[[dict[str, Any]], None], guarded: bool = True
) -> None:
    """Does the work and shows its facts. `guarded`: the command may not end by itself in time on SIGTERM."""
    if guarded:
        guard(lambda error: fail(error.to_json(), as_json))
    try:
        facts = work()
        if as_json and facts:
            click.echo(line_of(facts))
        else:
            show(facts)
    except MlpackError as error:
        fail(error.to_json(), as_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(141)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail({"exit": 2, "kind": "UsageError", "message": f"{where}{error.strerror or error}"}, as_json)


def fail(error: dict[str, Any], as_json: bool) -> None:
    """Prints the error and ends with its exit code."""
    for line in f"mlpack: {error['message']}".split("\n"):
        click.echo(printable(line), err=True)
    for row in error.get("worst", ()):
        click.echo(f"  probe {row['probe']}: {row['inputs']}", err=True)
        click.echo(f"    expected {row['expected']}\n    got      {row['got']}", err=True)
    if as_json:
        click.echo(line_of({"error": error}, default=str))
    sys.exit(error["exit"])


def line_of(plain: dict[str, Any], default: Callable[[Any], Any] | None = None) -> str:
    """The object in one line, in characters that standard output can encode."""
    allow = default is not None
    line = json.dumps(plain, ensure_ascii=False, allow_nan=allow, default=default)
    try:
        line.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(plain, allow_nan=allow, default=default)
    return line


class steps:
    """Steps on a terminal; nothing in a pipe."""

    def __init__(self, as_json: bool) -> None:
        self._status: Any = None
        if sys.stderr.isatty() and not as_json:
            from rich.console import Console

            self._status = Console(stderr=True).status("starting")

    def __enter__(self) -> Callable[[str], None]:
        if self._status is None:
            return lambda step: None
        self._status.start()
        return lambda step: self._status.update(step)

    def __exit__(self, *error: object) -> None:
        if self._status is not None:
            self._status.stop()
