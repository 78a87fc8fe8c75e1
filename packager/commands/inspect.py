"""Implements `mlpack inspect`: describes a bundle or a model file without loading or running it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.spec import TensorSpec, Unreadable

from ..bundle.manifest import NAME
from ..bundle.reader import open_bundle
from ..errors import ModelError, UsageError
from ..original.mlflow_folder import is_mlflow, read_mlflow

UNSTATED = "not stated"


def inspect(path: Path) -> dict[str, Any]:
    """The facts, the most important first."""
    if path.is_dir() and (path / NAME).is_file():
        return _bundle(path)
    if is_mlflow(path):
        return _mlflow(path)
    if path.is_file():
        return _model_file(path)
    raise UsageError(f"{path} is neither a model file, nor a bundle, nor an MLflow model folder")


def _bundle(path: Path) -> dict[str, Any]:
    bundle = open_bundle(path)
    facts, environment = bundle.manifest.facts, bundle.json("environment/environment.json")
    proof = bundle.json("reports/verification.json")
    interpreter = environment.get("interpreter", {})
    return {
        "bundle": f"{bundle.name} {bundle.version}",
        "identity": bundle.identity,
        "model": f"{facts['title']} ({facts['framework']}), {facts['source']}",
        "task": bundle.signature.task,
        "precision": facts["precision"],
        "inputs": [_line(t) for t in bundle.signature.inputs],
        "outputs": [f"{t.name}: {t.dtype} {_shape(t)}" for t in bundle.signature.outputs],
        "classes": list(bundle.signature.classes),
        "verification": f"{proof['verdict']}: {proof['rows']} probe rows, {proof['mismatches']} differ",
        "environment": " ".join(str(interpreter.get(k)) for k in ("implementation", "version", "platform")),
        "distributions": [f"{d['name']}=={d['version']}" for d in environment.get("distributions", ())],
        "licences": _licences(environment),
        "altered": [_altered(d) for d in environment.get("distributions", ()) if d.get("altered")],
        "not on the index": [f"{u['name']} {u['version']}: {u['why']}" for u in _unproved(facts)],
        "files": len(bundle.manifest.files),
        "allowed": list(facts["allowed"]),
    }


def _licences(environment: Mapping[str, Any]) -> dict[str, list[str]]:
    """The distributions by licence; those without one come last."""
    found: dict[str, list[str]] = {}
    for each in environment.get("distributions", ()):
        found.setdefault(each.get("licence") or UNSTATED, []).append(each["name"])
    order = sorted(found, key=lambda licence: (licence == UNSTATED, licence.lower(), licence))
    return {licence: found[licence] for licence in order}


def _altered(each: Mapping[str, Any]) -> str:
    return f"{each['name']} {each['version']}: {', '.join(each['altered'])}"


def _unproved(facts: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Distributions that were not proved to be the index's when the bundle was built."""
    found: Sequence[Mapping[str, Any]] = facts.get("environment", {}).get("unproved", ())
    return found


def _line(tensor: TensorSpec) -> str:
    rules = ["may be missing" if tensor.nullable else "never missing"]
    rules += [f"at most ±{tensor.limit:g}"] if tensor.limit is not None else []
    rules += [f"at least {tensor.least!r}"] if tensor.least is not None else []
    rules += [f"at most {tensor.most!r}"] if tensor.most is not None else []
    rules += [f"one of {list(tensor.values)}"] if tensor.values is not None else []
    rules += ["rules by column in manifest.json"] if tensor.features else []
    return f"{tensor.name}: {tensor.dtype} {_shape(tensor)}, {', '.join(rules)}"


def _shape(tensor: TensorSpec) -> str:
    return "[" + ", ".join(map(str, tensor.shape)) + "]"


def _mlflow(folder: Path) -> dict[str, Any]:
    """Describes the folder by its `MLmodel`, then its model file."""
    found = read_mlflow(folder)
    return {
        "mlflow model": folder.resolve().name,
        "flavour": found.flavour,
        "mlflow": found.mlflow or UNSTATED,
        "example": found.example.relative_to(folder).as_posix() if found.example else "none: give --example FILE",
        "inputs": [f"{name}: {kind}" for name, kind in found.inputs.items()],
        "outputs": [f"{name}: {kind}" for name, kind in found.outputs.items()],
        **_model_file(found.model),
    }


def _model_file(path: Path) -> dict[str, Any]:
    from ..scan import scan

    found = scan(path)
    facts: dict[str, Any] = {"file": path.name, "bytes": path.stat().st_size, "kind": found.kind}
    if found.kind == "other":
        return facts | _other(path)
    return facts | {
        "root": found.root,
        "packages": list(found.packages),
        "versions": [f"{name} {version}" for name, version in sorted(found.versions.items())],
        "imports": list(found.names),
        "not on the allow-list": list(found.refused),
        **({"refused": f"it {found.forbidden}"} if found.forbidden and not found.refused else {}),
    }


def _other(path: Path) -> dict[str, Any]:
    from mlpack_toolkit import converters

    converter = converters.for_file(path)
    facts: dict[str, Any] = {"framework": converter.name if converter else "unknown"}
    if converter is not None and converter.look is not None:
        try:
            return facts | converter.look(path)
        except Unreadable as error:
            raise ModelError(str(error)) from error
    return facts | _onnx(path) if path.suffix.lower() == ".onnx" else facts


def _onnx(path: Path) -> dict[str, Any]:
    """Inputs, outputs and operator sets, from the file alone, without opening external data."""
    import onnx

    from ..scan.onnx_files import check_external_data

    beside = check_external_data(path)
    model = onnx.load(path, load_external_data=False)
    constants = {c.name for c in model.graph.initializer}
    return {
        "made by": f"{model.producer_name} {model.producer_version}".strip() or UNSTATED,
        "operator sets": [f"{o.domain or 'ai.onnx'} {o.version}" for o in model.opset_import],
        "inputs": [_onnx_line(i) for i in model.graph.input if i.name not in constants],
        "outputs": [_onnx_line(o) for o in model.graph.output],
        "nodes": len(model.graph.node),
        "external data": [file.name for file in beside],
    }


def _dim(dim: Any) -> str:
    """The dimension's name, else its size; protobuf returns a name that is not UTF-8 as bytes."""
    name = dim.dim_param
    if name:
        return name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else str(name)
    return str(dim.dim_value) if dim.HasField("dim_value") else "?"


def _onnx_line(value: Any) -> str:
    import onnx

    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        return f"{value.name}: {value.type.WhichOneof('value')}"
    shape = ", ".join(map(_dim, tensor.shape.dim))
    known = tensor.elem_type in onnx.TensorProto.DataType.values()
    kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower() if known else f"element type {tensor.elem_type}"
    return f"{value.name}: {kind} [{shape}]"
