"""Writes a model that a Python program holds to a file, from which the build loads it apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters import for_package, load, names
from mlpack_toolkit.converters.plugin import Converter, Saved
from mlpack_toolkit.converters.spec import Unreadable

from ..errors import UsageError
from .own_code import Definitions
from .r_objects import r_file
from .rows import top_package, write_rows

NAME = "model"


def save(model: Any, example: Any, given: Mapping[str, Mapping[str, Any]], own: bool, folder: Path) -> Saved:
    """The files of both. `given`: the options of frameworks; `own`: whether definitions of the program itself may
    become a module of the bundle."""
    converter = _framework(model)
    if converter is not None and converter.source.save is not None:
        try:
            return converter.source.save(model, example, given.get(converter.name, {}), folder)
        except Unreadable as error:
            raise UsageError(str(error)) from error
    if example is None:
        raise UsageError("the example is missing: mlpack_toolkit.build(model, example), with rows that the model takes")
    code: tuple[Path, ...] = ()
    if isinstance(model, (str, Path)):
        place = Path(model)
    elif top_package(model) == "rpy2":
        place = r_file(model, folder / NAME)
    elif (dumped := _dumped(model, folder)) is not None:
        place = dumped
    else:
        place, code = _pickle(model, own, folder)
    return Saved(place, write_rows(example, folder / "example"), code)


def _framework(model: Any) -> Converter | None:
    """The framework of the model's class, or of one that it is made of."""
    tops = [kind.__module__.split(".")[0] for kind in type(model).__mro__]
    return next(filter(None, map(for_package, tops)), None)


def _dumped(model: Any, folder: Path) -> Path | None:
    """The file of an object that a framework writes in a format of its own; None of one that a pickle holds."""
    dumps = (dump for name in names() if (dump := load(name).source.dump) is not None)
    return next((path for dump in dumps if (path := dump(model, folder / NAME)) is not None), None)


def _pickle(model: Any, own: bool, folder: Path) -> tuple[Path, tuple[Path, ...]]:
    """The joblib file of a model, and the folder of the module with the definitions of the program itself."""
    import joblib

    definitions = Definitions.of(model)
    if definitions and not own:
        raise UsageError(
            f"the model uses {definitions.said} of this program, which no other process can import: give code='auto' "
            "to write their source into the bundle, or move them into a module and give its folder as code"
        )
    path = folder / f"{NAME}.joblib"
    try:
        with definitions.importable(folder / "code") as code:
            joblib.dump(model, path)
    except UsageError:
        raise
    except Exception as error:  # whatever a class raises when it is pickled
        said = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"the model ({type(model).__name__}) cannot be saved: {said}") from error
    return path, code
