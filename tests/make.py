"""A fitted model and example rows, written to files and built."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from mlpack_toolkit.packager.built import Built
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands.build import Request, build
from mlpack_toolkit.packager.commands.reproduce import _asked_again
from mlpack_toolkit.packager.environments.python.rebuild import Interpreter


def save(model: Any, example: Any, folder: Path, name: str = "model") -> tuple[Path, Path]:
    """The model as joblib and the example as parquet, npy or json, whichever fits."""
    import joblib

    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / f"{name}.joblib")
    if isinstance(example, np.ndarray):
        path = folder / f"{name}.npy"
        np.save(path, example)
    elif isinstance(example, list):
        import json

        path = folder / f"{name}.json"
        path.write_text(json.dumps(example))
    else:
        path = folder / f"{name}.parquet"
        example.to_parquet(path)
    return folder / f"{name}.joblib", path


def build_model(
    model: Path, example: Path, output: Path, targets: tuple[str, ...] | None = (), **options: Any
) -> Built:
    """The finished build, without projects unless asked."""
    return build(Request(model, example, output, targets=targets, **options))


def asked_again(built: Built) -> dict[str, Any]:
    """What `mlpack reproduce` finds, with this environment in place of the one that it makes again."""
    bundle = open_bundle(built.bundle)
    recorded = (bundle.json(bundle.parts[0].document), bundle.json(bundle.layout.machine))
    return _asked_again(bundle, Interpreter(sys.executable, "", True), (), *recorded)[0]
