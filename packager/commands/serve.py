"""Implements `mlpack serve`: runs the Python server of a bundle until stopped."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mlpack_toolkit.runtimes.engine.errors import Damaged, NoModel
from mlpack_toolkit.runtimes.server.bundle_info import describe
from mlpack_toolkit.runtimes.server.settings import from_environment, is_tuned
from mlpack_toolkit.runtimes.server.transport.supervisor import Supervisor

from ..bundle.reader import open_bundle
from ..errors import DamagedError, MissingToolError, MlpackError, UsageError
from ..kernels import preferred

PACKAGES = ("httptools", "orjson", "uvloop")


def _library(folder: Path) -> Path | None:
    """mlpack's own operators, where a variant of the bundle was proved with them; None: the reference answers."""
    try:
        return preferred(open_bundle(folder))[1]
    except MlpackError:  # the server says what is wrong with the bundle
        return None


def serve(
    folder: Path, host: str, port: int, workers: int, ready: Callable[[dict[str, Any]], None], tuned: bool = True
) -> dict[str, Any]:
    """Serves until SIGTERM or an interrupt; calls `ready` with the address once the server accepts requests.

    `tuned`: a choice of `mlpack tune` for this kind of machine is used.
    """
    absent = [name for name in PACKAGES if find_spec(name) is None]
    if absent:
        raise MissingToolError(f"serving needs {', '.join(absent)}: pip install 'mlpack-toolkit[serve]'")
    try:
        described = describe(folder, _library(folder), tuned and is_tuned(os.environ))
        settings = from_environment(os.environ, host=host, port=port, workers=workers)
        facts = {"name": described.name, "version": described.version, "identity": described.identity}
        Supervisor(described, settings, lambda where: ready({"address": where, **facts, "workers": workers})).run()
    except NoModel as error:
        raise UsageError(str(error)) from error
    except Damaged as error:
        raise DamagedError(str(error)) from error
    return {}
