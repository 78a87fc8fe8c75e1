"""A network with five variants, built once for all tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.packager.config import build_request
from tests.once import once
from tests.packager.variants.nets import net, rows

TOML = """
[build]
model = "net.onnx"
example = "example.npz"
code = ["code"]
output = "dist"
target = []

[[variant]]
kind = "fp16"
ship_slower = true

[[variant]]
kind = "int8"
metric = "top1"
limit = 0.95
rows = "rows.npz"
ship_slower = true

[[variant]]
kind = "int8_static"
metric = "kl"
limit = 0.5
rows = "rows.npz"
calibration = "calibration.npz"
ship_slower = true

[[variant]]
kind = "int4"
name = "small"
metric = "cosine"
max_drop = 0.04
rows = "rows.npz"
ship_slower = true

[[variant]]
kind = "int8_weights"
name = "own"
metric = "own:worst"
limit = 2
rows = "rows.npz"
ship_slower = true
"""
OWN = """
def worst(want, got):
    return abs(want["logits"] - got["logits"]).max(axis=1)


def greedy(want, got):
    open("/tmp/own-metric-was-here", "w")


def words(want, got):
    return "good"
"""


def lay_out(folder: Path) -> None:
    """The files of the configuration."""
    net(folder / "net.onnx")
    for name, count, seed in (("example", 24, 1), ("rows", 100, 2), ("calibration", 300, 3)):
        np.savez(folder / f"{name}.npz", **rows(count, seed))
    (folder / "code").mkdir()
    (folder / "code" / "own.py").write_text(OWN)
    (folder / "mlpack.toml").write_text(TOML)


def flow_of(folder: Path, output: Path | None = None) -> Any:
    """The build of the configuration in that folder."""
    from mlpack_toolkit.packager.commands.build import build

    return build(build_request(folder / "mlpack.toml", {"output": output} if output else {}))


def built_once(factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle of five variants below `dist`, and what `--json` prints of it in `built.json`."""

    def fill(folder: Path) -> None:
        lay_out(folder)
        built = flow_of(folder)
        (folder / "built.json").write_text(json.dumps({**built.to_json(), "remarks": built.remarks}))

    return once(factory, "variants", fill)
