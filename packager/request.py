"""What a user asks of `mlpack build`."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .original.worker import Limits

Progress = Callable[[str], None]
"""Takes the name of the step that begins."""
Options = Mapping[str, Mapping[str, Any]]
"""The values that the user gave to the options of frameworks: by framework, by the option's key."""


@dataclass(frozen=True)
class Request:
    """What the user asked for; see `mlpack build --help`. `reals`: columns of real numbers, however written."""

    model: Path
    example: Path
    output: Path
    name: str = ""
    version: str = "1.0.0"
    python: str = sys.executable
    code: tuple[Path, ...] = ()
    targets: tuple[str, ...] | None = None
    precision: str = "auto"
    rtol: float | None = None
    atol: float | None = None
    max_p99_ms: float | None = None
    allow: tuple[str, ...] = ()
    vendor: bool = False
    lock: Path | None = None
    options: Options = field(default_factory=dict)
    keep_failed: bool = False
    overwrite: bool = False
    reals: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)

    @property
    def bundle_name(self) -> str:
        """The given name, else the model file's, in the letters that a folder and a Maven artifact can bear."""
        stem = self.name or self.model.name.split(".")[0]
        return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.") or "model"
