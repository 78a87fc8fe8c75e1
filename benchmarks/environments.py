"""What recording an environment costs: capture, lock, vendor and rebuild, beside tools that do a part of it.

`python -m benchmarks.environments [--json] [--package NAME==VERSION …] [--mlflow PYTHON]`; seconds of the clock, once
with nothing kept from before and once more. `--mlflow`: an interpreter with mlflow and scikit-learn, for its inference
of requirements from a model.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest.mock import patch

from mlpack_toolkit.packager.environments.python import rebuild
from mlpack_toolkit.packager.environments.python.capture import Capture
from mlpack_toolkit.packager.environments.python.lock import lock, look_up
from mlpack_toolkit.packager.environments.python.uv import find_uv, uv

from ._show import show

PACKAGES = ("scikit-learn==1.8.0", "numpy==2.3.5", "scipy==1.16.3", "pandas==2.3.3", "pip==26.1")
MLFLOW = """
import sys, time
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
import mlflow.sklearn, mlflow.models
model = LogisticRegression().fit(*load_iris(return_X_y=True))
mlflow.sklearn.save_model(model, sys.argv[1], pip_requirements=[])
start = time.perf_counter()
mlflow.models.infer_pip_requirements(sys.argv[1], "sklearn")
print(time.perf_counter() - start)
"""


def measure(packages: Sequence[str], mlflow: str | None) -> list[dict[str, Any]]:
    """A row per step: seconds the first time and again, and a peer's beside them."""
    with tempfile.TemporaryDirectory() as name, _nothing_kept(Path(name) / "kept"):
        folder = Path(name)
        python = folder / "env" / "bin" / "python"
        _ran(uv("venv", "--quiet", "--python", sys.executable, folder / "env"))
        _ran(uv("pip", "install", "--quiet", "--python", python, *packages))
        return [
            _row("capture", lambda: Capture(str(python)).result(), "uv pip freeze", lambda: _freeze(python)),
            _row("lock", lambda: _locked(python, False), "pip lock", lambda: _pip_lock(python, folder)),
            _row("lock and vendor", lambda: _vendored(python, folder), "", None),
            _rebuilt(folder, python),
            *([_inferred(mlflow, folder)] if mlflow else []),
        ]


@contextmanager
def _nothing_kept(folder: Path) -> Iterator[None]:
    folder.mkdir()
    with patch.dict(os.environ, {"XDG_CACHE_HOME": str(folder)}):
        yield


def _row(step: str, ours: Callable[[], object], peer: str, theirs: Callable[[], object] | None) -> dict[str, Any]:
    found: dict[str, Any] = {"step": step, "first s": _seconds(ours), "again s": _seconds(ours), "peer": peer}
    return found | {"peer s": _seconds(theirs) if theirs else ""}


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def _locked(python: Path, vendor: bool) -> dict[str, bytes]:
    captured = Capture(str(python)).result()
    return lock(captured, look_up(captured), frozenset(), vendor).files


def _vendored(python: Path, folder: Path) -> None:
    for path, content in _locked(python, True).items():
        target = folder / "bundle" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _rebuilt(folder: Path, python: Path) -> dict[str, Any]:
    """From the vendored wheels, offline."""
    interpreter = rebuild.Interpreter(str(python), "", True)
    places = iter(range(2))
    row = _row("rebuild", lambda: rebuild.rebuild(folder / "bundle", folder / f"{next(places)}", interpreter), "", None)
    return row


def _freeze(python: Path) -> None:
    _ran(uv("pip", "freeze", "--python", python))


def _pip_lock(python: Path, folder: Path) -> None:
    pins = uv("pip", "freeze", "--python", python).stdout
    (folder / "pins.txt").write_text(pins)
    files = ("-r", str(folder / "pins.txt"), "-o", str(folder / "pylock.toml"))
    command = [str(python), "-m", "pip", "lock", "--quiet", "--no-deps", *files]
    _ran(subprocess.run(command, capture_output=True, text=True))


def _inferred(mlflow: str, folder: Path) -> dict[str, Any]:
    """No row of ours beside it: the scan of a model is a part of every build."""
    row = {"step": "what the model needs", "first s": "", "again s": "", "peer": "mlflow"}
    return row | {"peer s": _mlflow(mlflow, folder)}


def _mlflow(python: str, folder: Path) -> float:
    done = subprocess.run([python, "-c", MLFLOW, str(folder / "mlflow")], capture_output=True, text=True)
    _ran(done)
    return float(done.stdout.split()[-1])


def _ran(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        raise SystemExit(f"{done.args[:4]} failed: {done.stderr[-500:]}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--package", action="append", help="what the environment is made of")
    parser.add_argument("--mlflow", metavar="PYTHON")
    given = parser.parse_args(arguments)
    find_uv()
    show("environments", measure(given.package or PACKAGES, given.mlflow), given.json)


if __name__ == "__main__":
    main()
