"""A bundle with an engine that nothing has made: for what reads recipes and opens no engine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.engines.context import write_context
from mlpack_toolkit.packager.engines.recipe import FLAVOURS, Plan
from tests.seal import seal

MOST = 32


def with_engine(folder: Path, target: Path, flavour: str) -> Path:
    """A copy of a bundle with the variant `engine`, not proved, for at most `MOST` rows; its native code is a text."""
    shutil.copytree(folder, target)
    bundle = open_bundle(target)
    place, provider = target / "model" / "engine", FLAVOURS[flavour].provider
    place.mkdir()
    (place / "model.engine").write_bytes(b"native code")
    write_context(bundle.graph, "model.engine", "10.9", provider, "89", place / "model.onnx")
    shapes = {"min": [1, 1], "opt": [8, 1], "max": [MOST, 1]}
    plan = Plan(flavour, "float32", {t.in_graph: shapes for t in bundle.signature.inputs}, ("sm89",))
    plain = json.loads((target / "manifest.json").read_bytes())["variants"]
    reference = plain["reference"]
    paths = ["model/engine/model.onnx", "model/engine/model.engine"]
    plain["engine"] = {
        **reference,
        "artifact": {"format": "onnx", "main": paths[0], "files": paths},
        "signature": {**reference["signature"], "ranges": [{"name": "N", "least": 1, "most": MOST}]},
        "provider": provider,
        "recipe": {"kind": "tensorrt", **plan.recipe("10.9", ["a" * 64], None)},
        "proved": False,
    }
    seal(target, variants=plain)
    return target
