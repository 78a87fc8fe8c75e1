"""Errors of mlpack, one class per next step of the user.

MlpackError
├── UsageError            2  the command line, the configuration or the example data is wrong
├── ModelError            3  the model cannot be read
│   ├── UntrustedError    3  the model file uses names that are not on the allow-list
│   └── ForgedError       3  the model's process sends or writes data that mlpack's own code never would
├── ConversionError       4  no converter, or none that is faithful
├── MismatchError         5  the numbers differ
│   └── LateError         5  the graph gives no answer in time
├── LatencyError          6  a latency gate is missed
├── EnvironmentFault      7  the environment cannot be locked or rebuilt, or differs
├── DamagedError          8  the bundle is damaged or was tampered with
└── MissingToolError      9  a tool is missing
"""

from __future__ import annotations

from typing import Any


class MlpackError(Exception):
    """The base class: a message with what, where and the next step, and facts for machines."""

    exit_code = 1

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.facts = facts

    def to_json(self) -> dict[str, Any]:
        """The object that `--json` prints under `error`."""
        return {"exit": self.exit_code, "kind": type(self).__name__, "message": str(self), **self.facts}


class UsageError(MlpackError):
    """Wrong usage, configuration or example data."""

    exit_code = 2


class ModelError(MlpackError):
    """The model cannot be read."""

    exit_code = 3


class UntrustedError(ModelError):
    """The model file uses names that are not on the allow-list."""


class ForgedError(ModelError):
    """The model's process sends or writes data that mlpack's own code in it never would."""


class ConversionError(MlpackError):
    """The model has no converter, or no faithful one."""

    exit_code = 4


class MismatchError(MlpackError):
    """The graph's numbers differ from the original's."""

    exit_code = 5


class LateError(MismatchError):
    """The graph gives no answer in time."""


class LatencyError(MlpackError):
    """A latency gate is missed."""

    exit_code = 6


class EnvironmentFault(MlpackError):
    """The environment cannot be locked or rebuilt, or differs."""

    exit_code = 7


class DamagedError(MlpackError):
    """The bundle is damaged or was tampered with."""

    exit_code = 8


class MissingToolError(MlpackError):
    """A tool that the command needs is not installed."""

    exit_code = 9


def printable(text: str) -> str:
    """The text with control characters, which could move a terminal's cursor, escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
