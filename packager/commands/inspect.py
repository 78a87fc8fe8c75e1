"""Implements `mlpack inspect`: describes a bundle or a model file without loading or running it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack_toolkit.converters.spec import TensorSpec, Unreadable
from mlpack_toolkit.converters.variant import Variant

from ..bundle.layout import NAME
from ..bundle.proofs import proofs_of
from ..bundle.reader import Bundle, open_bundle
from ..errors import ModelError, UsageError
from ..original.mlflow_folder import is_mlflow, read_mlflow
from ..original.model_folder import main_file

if TYPE_CHECKING:
    from mlpack_toolkit.converters.plugin import Converter

    from ..scan import Scan

UNSTATED = "not stated"


def inspect(path: Path) -> dict[str, Any]:
    """The facts, the most important first."""
    if path.is_dir() and (path / NAME).is_file():
        return _bundle(path)
    if is_mlflow(path):
        return _mlflow(path)
    path = main_file(path)
    if path.is_file():
        return _model_file(path)
    raise UsageError(
        f"{path} is neither a model file, nor a bundle, nor a folder of TensorFlow, MLflow or Hugging Face"
    )


def _bundle(path: Path) -> dict[str, Any]:
    bundle = open_bundle(path)
    facts, environments = bundle.in_short, [bundle.json(part.document) for part in bundle.parts]
    proof = bundle.json(bundle.proof().report)
    distributions = [each for environment in environments for each in environment["distributions"]]
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
        "variants": [
            _variant(each, bundle.paths_of(each.name)[0]) + _gate(bundle, each.name) for each in bundle.variants
        ],
        "environment": "; ".join(_interpreter(environment["interpreter"]) for environment in environments),
        "distributions": [f"{d['name']}=={d['version']}" for d in distributions],
        "licences": _licences(distributions),
        "altered": [_altered(d) for d in distributions if d.get("altered")],
        "not on the index": [f"{u['name']} {u['version']}: {u['why']}" for u in _unproved(facts)],
        "files": len(bundle.manifest.files),
        "allowed": list(facts["allowed"]),
    }


def _variant(variant: Variant, path: str) -> str:
    """Its name and what it is; the size is that of all its files together."""
    types = variant.weights if variant.io == variant.weights else f"{variant.weights} weights, {variant.io} values"
    options = "".join(f", {name}={value}" for name, value in sorted(variant.options.items()))
    size = f"{variant.artifact.size:,} bytes"
    return f"{variant.name}: {variant.artifact.format}, {types}, {variant.provider}{options}, {path} ({size})"


def _gate(bundle: Bundle, variant: str) -> str:
    proof, gate = bundle.proof(variant), bundle.proof(variant).gate
    if not proof.proved:
        found = proofs_of(bundle, variant)
        return f", not proved where it was made; proofs of other machines: {', '.join(found) or 'none'}"
    if not gate:
        return ""
    return f", held by {gate['metric']}: {gate['value']:.6g} on {gate['rows']} rows, limit {gate['limit']:g}"


def _interpreter(facts: Mapping[str, Any]) -> str:
    return " ".join(str(facts.get(key)) for key in ("implementation", "version", "platform"))


def _licences(distributions: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """By licence, the distributions that state it; last those that state none."""
    found: dict[str, list[str]] = {}
    for each in distributions:
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
    from mlpack_toolkit import converters

    converter = converters.for_container(found.kind, path)
    if converter is not None and not found.root:
        fits = not found.refused and not found.forbidden
        return facts | (_data(path, found.kind, converter) if fits else {}) | _doubts(found)
    return facts | {
        "root": found.root,
        "packages": list(found.packages),
        "versions": [f"{name} {version}" for name, version in sorted(found.versions.items())],
        "imports": list(found.names),
        "not on the allow-list": [],
        **_doubts(found),
    }


def _doubts(found: Scan) -> dict[str, Any]:
    """Why a file is not loaded; nothing for one that is."""
    if found.refused:
        return {"not on the allow-list": list(found.refused)}
    return {"refused": f"it {found.forbidden}"} if found.forbidden else {}


def _data(path: Path, kind: str, converter: Converter) -> dict[str, Any]:
    """Facts about a file that is not a pickle."""
    from ..scan import look

    facts: dict[str, Any] = {"framework": converter.name, **look(kind, path)}
    if converter.source.look is None:
        return facts
    try:
        return facts | converter.source.look(path)
    except Unreadable as error:
        raise ModelError(str(error)) from error
