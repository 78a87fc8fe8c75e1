"""A Keras model in a Python program becomes files: the model, its example, and the sources of its own classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._worker.own_sources import MAIN, sources
from ..plugin import Saved
from ..spec import Unreadable


def save(model: Any, example: Any, folder: Path) -> Saved:
    """The files of the model, which stays as it is, and of its example: a tensor, an array, a list, a dict, a path."""
    import keras

    if not isinstance(model, keras.Model):
        raise Unreadable(f"the model is a {type(model).__name__}: give a keras.Model, or the folder of a SavedModel")
    own = {type(part).__module__ for part in model._flatten_layers()}
    if MAIN in own:
        raise Unreadable(
            "the model has a class of the running program, which no other program finds: move it to a module (a .py "
            "file) and import it from there, or save the model with model.export(FOLDER) and give that folder"
        )
    place = folder / "model.keras"
    model.save(str(place))
    rows = Path(example) if isinstance(example, (str, Path)) else _saved(model, example, folder)
    return Saved(place, rows, sources(own, folder / "code"))


def _saved(model: Any, example: Any, folder: Path) -> Path:
    """The file of an example: a table stays one, arrays become an npz."""
    import numpy as np

    if type(example).__module__.partition(".")[0] == "pandas":
        path = folder / "example.parquet"
        example.to_parquet(path)
        return path
    path = folder / "example.npz"
    np.savez(path, **{name: _array(name, each) for name, each in _by_name(model, example).items()})
    return path


def _by_name(model: Any, example: Any) -> Mapping[str, Any]:
    """The tensors under the names of the model's inputs."""
    from .loading import _inputs

    if isinstance(example, Mapping):
        return example
    import keras

    _, inputs = _inputs(keras, model)
    parts = list(example) if isinstance(example, (list, tuple)) else [example]
    if inputs and len(inputs) != len(parts):
        raise Unreadable(f"the example has {len(parts)} tensors, the model takes {len(inputs)}")
    return dict(zip([each.name for each in inputs] or [f"x{i}" for i in range(len(parts))], parts))


def _array(name: str, value: Any) -> Any:
    import numpy as np

    found = np.asarray(value)
    if found.dtype.kind in "OS":
        cells = [c.decode("utf-8") if isinstance(c, bytes) else c for c in found.ravel().tolist()]
        if not all(isinstance(cell, str) for cell in cells):
            raise Unreadable(f"the example holds a {type(cells[0]).__name__} at {name!r}: give numbers or texts")
        found = np.array(cells, str).reshape(found.shape)
    return found
