"""Writes the models and rows of a Python program to files for a build."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters import for_package
from mlpack_toolkit.converters.plugin import Converter
from mlpack_toolkit.converters.spec import Unreadable

from .commands.build import Built
from .commands.build import build as build_bundle
from .config import build_request
from .errors import UsageError
from .options import Setting, from_keywords, from_tables, over, values

LISTS = ("code", "target", "allow", "variant")


def build(model: Any, example: Any, options: Mapping[str, Any]) -> Built:
    """See `mlpack_toolkit.build`."""
    with tempfile.TemporaryDirectory(prefix="mlpack-") as name:
        folder = Path(name)
        older, others = from_keywords(options, "")
        settings = over(from_tables(others.pop("options", {}), "options"), older)
        given = {
            **_files(model, example, settings, folder),
            **{_option(key): _value(key, value) for key, value in others.items()},
        }
        return build_bundle(build_request(None, given, settings))


def _option(key: str) -> str:
    """The name that `build_request` has for an option."""
    return {"version": "version_", "target": "targets", "variant": "variants"}.get(key, key)


def _value(key: str, value: Any) -> Any:
    if key in LISTS:
        cells = (value,) if isinstance(value, (str, Path)) else tuple(value)
        return tuple(map(Path, cells)) if key == "code" else cells
    return Path(value) if key in ("output", "lock") else value


def _files(model: Any, example: Any, settings: tuple[Setting, ...], folder: Path) -> dict[str, Any]:
    """The files of both, and the folders of the model's own classes where its framework says them."""
    converter = _framework(model)
    if converter is None or converter.source.save is None:
        return {"model": _file(model, folder / "model"), "example": _file(example, folder / "example")}
    try:
        saved = converter.source.save(model, example, values(settings).get(converter.name, {}), folder)
    except Unreadable as error:
        raise UsageError(str(error)) from error
    return {"model": saved.model, "example": saved.example, "code": saved.code}


def _framework(model: Any) -> Converter | None:
    """The framework of the model's class, or of one that it is made of."""
    tops = [kind.__module__.split(".")[0] for kind in type(model).__mro__]
    return next(filter(None, map(for_package, tops)), None)


def _file(value: Any, place: Path) -> Path:
    """The path itself, or a file with the value."""
    if isinstance(value, (str, Path)):
        return Path(value)
    if type(value).__module__.split(".")[0] == "rpy2":
        return _saved(value, place.with_suffix(".rds"))
    if type(value).__module__.split(".")[0] == "pandas":
        path = place.with_suffix(".parquet")
        value.to_parquet(path)
        return path
    raise UsageError(
        f"the {place.name} is a {type(value).__name__}: give a path, an R object of rpy2, or, for rows, a data frame "
        "of pandas; save another model first, with joblib.dump"
    )


def _saved(value: Any, path: Path) -> Path:
    """The R object in `saveRDS`'s form, written by rpy2's R."""
    interface = sys.modules["rpy2.rinterface"]
    interface.baseenv["saveRDS"](value, interface.StrSexpVector([str(path)]))
    return path
