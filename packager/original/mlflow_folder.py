"""Reads an MLflow model folder (flavour, model file, signature, input example) without running its code.

The folder is untrusted: `MLmodel` is read as plain YAML, and no path in it may leave the folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConversionError, ModelError, UsageError

if TYPE_CHECKING:
    from mlpack_toolkit.converters.plugin import Converter

    from ..request import Request

NAME = "MLmodel"
EXAMPLES = ("input_example.json", "serving_input_example.json")
PYFUNC = "python_function"
MOST = 1 << 20
"""The most bytes of an `MLmodel`; MLflow writes a few thousand."""
_FILES = ("pickled_model", "data", "model_path")
_REALS = ("double", "float", "float32", "float64")


@dataclass(frozen=True)
class MlflowModel:
    """An MLflow model. `model`: the flavour's own file. `inputs`, `outputs`: names to MLflow's types, as stated.

    `example`: the file of the input example; None where there is none.
    """

    folder: Path
    flavour: str
    model: Path
    mlflow: str = ""
    example: Path | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def reals(self) -> tuple[str, ...]:
        """The inputs of a floating-point type, however the example writes their numbers."""
        return tuple(name for name, kind in self.inputs.items() if kind in _REALS)

    @property
    def note(self) -> str:
        """The note on the model's origin in the output of a build."""
        return f"read from an MLflow model folder, flavour {self.flavour}: {self.model.relative_to(self.folder)}"


def is_mlflow(path: Path) -> bool:
    """Whether the path is an MLflow model folder."""
    return path.is_dir() and (path / NAME).is_file()


def read_mlflow(folder: Path) -> MlflowModel:
    """The model of a folder; `ModelError` where it is damaged, `ConversionError` for an unsupported flavour."""
    plain = _plain(folder)
    flavour, facts = _flavour(folder, plain)
    name = next((facts[key] for key in _FILES if isinstance(facts.get(key), str)), "")
    if not name:
        raise ModelError(f"{folder / NAME} names no file of its flavour {flavour}: log the model again")
    model = _inside(folder, name)
    if model.is_dir():
        raise ConversionError(
            f"{folder}: the flavour {flavour} keeps its model in a folder ({name}), which mlpack cannot read"
        )
    if not model.is_file():
        raise ModelError(f"{folder} lacks its model file {name}: copy the whole folder of the logged model")
    signature = plain.get("signature")
    stated = signature if isinstance(signature, dict) else {}
    return MlflowModel(
        folder,
        flavour,
        model,
        str(plain.get("mlflow_version") or ""),
        _example(folder, plain),
        _columns(stated.get("inputs")),
        _columns(stated.get("outputs")),
    )


def opened(request: Request) -> tuple[Request, MlflowModel | None]:
    """The request with the model's own file, name and example in place of the folder; unchanged for any other model."""
    if not is_mlflow(request.model):
        return request, None
    found = read_mlflow(request.model)
    name = request.name or request.model.resolve().name
    return replace(request, model=found.model, name=name, reals=found.reals), found


def example_in(model: Path) -> Path:
    """The input example of a folder, for a build without `--example`; raises `UsageError`."""
    example = read_mlflow(model).example
    if example is None:
        raise UsageError(f"the MLflow model in {model} has no input example: give example rows with --example FILE")
    return example


def _plain(folder: Path) -> dict[str, Any]:
    import yaml

    path = folder / NAME
    try:
        if path.stat().st_size > MOST:
            raise ModelError(f"{path} is larger than {MOST} bytes, so MLflow did not write it")
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(plain, dict) or not isinstance(plain.get("flavors"), dict):
        raise ModelError(f"{path} names no flavors, so MLflow did not write it")
    return plain


def _flavour(folder: Path, plain: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The flavour that has a converter, and its entry in `MLmodel`."""
    from mlpack_toolkit import converters

    flavours = plain["flavors"]
    known = [name for name in sorted(map(str, flavours)) if name in converters.names() and name in flavours]
    facts = flavours[known[0]] if known else None
    if known and isinstance(facts, dict):
        return known[0], facts
    others = [str(name)[:80] for name in flavours if name != PYFUNC]
    if others:
        said = f"there is no converter for the MLflow flavour {others[0]}"
    else:
        said = "its only flavour is python_function (pyfunc), custom Python code, which has no graph"
    names = ", ".join(c.name for c in map(converters.load, converters.names()) if _is_flavour(c))
    raise ConversionError(f"{folder}: {said}; log the model with the flavour of its framework, one of: {names}")


def _is_flavour(converter: Converter) -> bool:
    """Whether it reads the file that MLflow's flavour of the same name keeps."""
    source = converter.source
    return source.is_flavour and bool(source.packages or source.containers) and converter.original.environment is None


def _inside(folder: Path, name: str) -> Path:
    """The file of that name in the folder; `ModelError` where the name leads out of the folder."""
    root = folder.resolve()
    try:
        path = (root / name).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"{folder / NAME} names the path {name[:80]!r}, which cannot be followed") from error
    if Path(name).is_absolute() or not path.is_relative_to(root) or path == root:
        raise ModelError(f"{folder / NAME} names the path {name[:80]!r}, which leaves the folder: it is not followed")
    return folder / path.relative_to(root)


def _example(folder: Path, plain: dict[str, Any]) -> Path | None:
    """The file that `MLmodel` names, else one with a name that MLflow uses."""
    info = plain.get("saved_input_example_info")
    named = info.get("artifact_path") if isinstance(info, dict) else None
    if isinstance(named, str):
        path = _inside(folder, named)
        return path if path.is_file() else None
    places = (_inside(folder, name) for name in EXAMPLES if (folder / name).is_file())
    return next(places, None)


def _columns(stated: Any) -> dict[str, str]:
    """Names and types of one side of a signature, which MLflow writes as JSON in a string."""
    try:
        plain = json.loads(stated) if isinstance(stated, str) else []
    except (ValueError, RecursionError):
        return {}
    fields = [each for each in plain if isinstance(each, dict)] if isinstance(plain, list) else []
    return {str(each.get("name", f"[{i}]")): _type(each) for i, each in enumerate(fields)}


def _type(stated: dict[str, Any]) -> str:
    """The type of a column, or a tensor's type with its shape."""
    tensor = stated.get("tensor-spec")
    if not isinstance(tensor, dict):
        return str(stated.get("type", ""))
    shape = tensor.get("shape")
    dims = ", ".join(map(str, shape)) if isinstance(shape, list) else ""
    return f"{tensor.get('dtype', '')} [{dims}]"
