"""What Kubernetes, KServe, Seldon and Compose say of their files, without asking any of them: published schemas."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).parent / "docker" / "schemas"
RELEASES = ("1.25", "1.30", "1.37")
"""The oldest and the newest release of Kubernetes whose schemas are at hand, and one between."""
QUANTITY = r"^([0-9]+(\.[0-9]+)?)([KMGTPE]i|[numkMGTPE])?$"
SELDON: dict[str, Any] = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"const": "mlops.seldon.io/v1alpha1"},
        "kind": {"const": "Model"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "required": ["storageUri"],
            "additionalProperties": False,
            "properties": {
                "storageUri": {"type": "string"},
                "requirements": {"type": "array", "items": {"type": "string"}},
                "memory": {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": QUANTITY}]},
                "replicas": {"type": "integer"},
                "secretName": {"type": "string"},
                "server": {"type": "string"},
            },
        },
    },
}
"""Seldon Core 2 publishes its schema in no package index: written after its documentation, with what we may use."""


@cache
def _read(name: str) -> Any:
    return json.loads(gzip.decompress((SCHEMAS / f"{name}.json.gz").read_bytes()))


def kubernetes(plain: Any) -> list[str]:
    """What is wrong with an object of Kubernetes itself, in any of the releases; unknown fields are."""
    found = []
    for release in RELEASES:
        try:
            kubernetes_validate.validate(plain, release, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{release}: {error.message}")
    return found


def kserve(plain: Any) -> list[str]:
    """What is wrong with an `InferenceService`; unknown fields are, as the API server drops or refuses them."""
    head = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
    wrong = [f"{key} is not {value}" for key, value in head.items() if plain.get(key) != value]
    return wrong + _errors(_strict(_read("kserve-inferenceservice")), plain)


def seldon(plain: Any) -> list[str]:
    """What is wrong with a `Model` of Seldon Core 2."""
    return _errors(SELDON, plain)


def compose(plain: Any) -> list[str]:
    """What is wrong with a file of the Compose specification."""
    return _errors(_read("compose-spec"), plain)


def _strict(schema: Any) -> Any:
    """The schema of a custom resource, in the words of JSON Schema, where a field that it does not name is wrong."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(part) for key, part in schema.items()}
    closed = "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields")
    if closed and isinstance(schema["properties"], dict) and "additionalProperties" not in schema:
        strict["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        strict.pop("type", None)
    return strict


def _errors(schema: Any, plain: Any) -> list[str]:
    found = Draft202012Validator(schema).iter_errors(plain)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in found]
