"""The request for a build, and its checks."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlpack_toolkit.converters.plugin import Options

from .errors import UsageError
from .original.worker import Limits
from .paths import check_name

if TYPE_CHECKING:
    from .accuracy.asked import Asked

Progress = Callable[[str], None]
"""Gets the name of each step when it begins."""

LONGEST_NAME = 100
"""The most letters of the name, and of the version: file names contain both, in at most 255 bytes."""


@dataclass(frozen=True)
class Request:
    """The user's request; see `mlpack build --help`. `reals`: columns of real numbers, even if written as
    integers. `example`: None: the model makes its own."""

    model: Path
    example: Path | None
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
    reuse: bool = False
    reals: tuple[str, ...] = ()
    variants: tuple[Asked, ...] = ()
    limits: Limits = field(default_factory=Limits)

    @property
    def bundle_name(self) -> str:
        """The given name, else the model file's, in characters that a folder and a Maven artifact may have."""
        stem = self.name or self.model.name.split(".")[0]
        return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.") or "model"


def check_request(request: Request) -> None:
    """Raises `UsageError` for a request that cannot be built, before anything is loaded.

    `MissingToolError` where a variant needs a compiler and there is none.
    """
    from mlpack_toolkit.runtimes import names

    from . import variants
    from .data.framework_files import check_example
    from .original.interpreter import check_interpreter

    for path in (request.model, *request.code, *((request.lock,) if request.lock else ())):
        check_name(path)
    if request.model.is_dir():
        raise UsageError(
            f"{request.model} is a folder that neither TensorFlow (saved_model.pb), MLflow (MLmodel) nor Hugging Face "
            "(config.json) wrote: give the model's file in it"
        )
    if not request.model.is_file():
        raise UsageError(f"there is no model file {request.model}")
    if request.example is not None:
        check_example(request.example)
    if request.lock is not None and not request.lock.is_file():
        raise UsageError(f"there is no lock file {request.lock}")
    for folder in request.code:
        if not folder.is_dir():
            raise UsageError(f"--code {folder} is not a folder")
    if len(request.bundle_name) > LONGEST_NAME or len(request.version) > LONGEST_NAME:
        raise UsageError(
            f"the name and the version have at most {LONGEST_NAME} letters each: give shorter ones (--name)"
        )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", request.version):
        raise UsageError(f"the version {request.version!r} must be letters, digits and . _ + -, like 1.0.0")
    unknown = [t for t in request.targets or () if t not in names()]
    if unknown:
        raise UsageError(f"there is no target {unknown[0]!r}; there are: {', '.join(names())}")
    check_interpreter(request.python)
    for each in request.variants:
        variants.load(each.kind).check(each.options)
