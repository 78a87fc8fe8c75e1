"""What a feature needs: distributions of PyPI, programs, files of the system."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Union


@dataclass(frozen=True)
class Requirement:
    """A distribution of PyPI that a feature needs.

    `text`: as pip takes it, `scikit-learn>=1.3`. `extra`: the extra of mlpack that brings it; empty: mlpack itself.
    `purpose`: the feature, in words; empty: it goes without saying. `instead`: distributions with the same modules.
    """

    text: str
    extra: str = ""
    purpose: str = ""
    instead: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The distribution's name."""
        return re.split(r"[^A-Za-z0-9._-]", self.text, maxsplit=1)[0]


@dataclass(frozen=True)
class Tool:
    """A program that a feature needs, or a file of the system.

    `mend`: the command that brings it. `argument`: what makes the program print its version. `file`: the path of the
    file, in place of a program.
    """

    name: str
    purpose: str
    mend: str
    argument: str = "--version"
    file: str = ""


Need = Union[Requirement, Tool]
