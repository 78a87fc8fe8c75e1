"""What a bundle's folder says of its model, read with the standard library alone: the parent needs no more."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from converters.spec import Signature

from .errors import Damaged, NoModel

MANIFEST = "manifest.json"
GRAPH = "model/model.onnx"
PLACES = ("/opt/ml/model", "/mnt/models")
"""Where SageMaker and KServe put a model."""


@dataclass(frozen=True)
class Described:
    """What a folder says of its model: nothing of it has been loaded. `digests`: by path, of the graph's own files."""

    folder: Path
    name: str
    version: str
    identity: str
    signature: Signature
    digests: Mapping[str, str]


def describe(folder: Path) -> Described:
    """The model of a folder with `manifest.json` and `model/model.onnx`; raises `NoModel` and `Damaged`."""
    if not (folder / MANIFEST).is_file():
        raise NoModel(f"{folder} is not a bundle: it has no {MANIFEST}")
    raw = (folder / MANIFEST).read_bytes()
    try:
        plain = json.loads(raw)
        signature = Signature.from_json(plain["signature"])
        name, version = str(plain["name"]), str(plain["version"])
        files = plain.get("files", {})
        digests = {path: str(files[path]["sha256"]) for path in files if path.startswith(GRAPH)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Damaged(f"{MANIFEST} cannot be read: {error!r}") from error
    if not (folder / GRAPH).is_file():
        raise Damaged(f"{folder} has no {GRAPH}")
    return Described(folder, name, version, "sha256:" + hashlib.sha256(raw).hexdigest(), signature, digests)
