"""Runs the program that makes engines in the interpreter that has TensorRT."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.artifact import Artifact

from ..errors import ConversionError, MissingToolError
from .recipe import FLAVOURS, Plan

BUILDER = Path(__file__).with_name("builder.py")
SECONDS = 3600
LOOK_SECONDS = 120
WORDS = 5
"""Lines of the program's output that an error message quotes."""
SETTINGS = {"NVIDIA_TF32_OVERRIDE": "0", "LANG": "C.UTF-8"}
"""TensorRT writes the first into the engine: with it, float32 stays float32 on the machine that runs it."""
KEPT = ("PATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_HOME", "TMPDIR", "HOME")
ENGINE, TIMING_CACHE = "model.engine", "timing.cache"


@dataclass(frozen=True)
class Built:
    """`version`: TensorRT's. `capabilities`: of the cards that the engine is for. `network`: the layers and types that
    it is made of. `inspected`: what TensorRT says of the engine itself, or `not_opened` with the reason."""

    version: str
    capabilities: tuple[str, ...]
    network: Mapping[str, Any]
    inspected: Mapping[str, Any]


def version_in(python: str, flavour: str) -> str:
    """TensorRT's version there; raises `MissingToolError` with the command that installs it."""
    with tempfile.TemporaryDirectory(prefix="mlpack-") as name:
        found = _asked(python, {"module": FLAVOURS[flavour].module}, Path(name), LOOK_SECONDS)
    if "version" not in found:
        where = "here" if python == sys.executable else f"in {python}"
        raise MissingToolError(
            f"an engine is made by {FLAVOURS[flavour].title}, which cannot be imported {where} ({found['absent']}): "
            f"{FLAVOURS[flavour].install}, and name the interpreter that has it: -O tensorrt.python=PATH of `mlpack "
            "build`, --python PATH of `mlpack engine`"
        )
    return str(found["version"])


def build(plan: Plan, network: Artifact, folder: Path, python: str) -> Built:
    """Writes `model.engine`, and with the full TensorRT `timing.cache`, to the folder; raises `ConversionError`, and
    `MissingToolError` where it takes a card and there is none."""
    flavour = FLAVOURS[plan.flavour]
    job = {
        "module": flavour.module,
        "network": str(network.path.absolute()),
        "engine": str((folder / ENGINE).absolute()),
        "profiles": {name: dict(sizes) for name, sizes in plan.profiles.items()},
        "capabilities": list(plan.capabilities),
        "portable": flavour.is_portable,
        "timed": not flavour.is_portable,
        "timing_cache": str((folder / TIMING_CACHE).absolute()),
        "flags": list(plan.flags),
        "workspace": plan.workspace,
    }
    with tempfile.TemporaryDirectory(prefix="mlpack-") as name:
        found = _asked(python, job, Path(name), SECONDS)
    if "no_card" in found:
        raise MissingToolError(f"{flavour.title} makes an engine on the card that runs it: {found['no_card']}")
    if "error" in found or "absent" in found:
        said = found.get("error") or found["absent"]
        raise ConversionError(f"{flavour.title} makes no engine of this graph: {said}", log=found.get("log", []))
    capabilities = plan.capabilities if flavour.is_portable else (found["capability"],)
    return Built(found["version"], capabilities, found["network"], found["engine"])


def _asked(python: str, job: Mapping[str, Any], scratch: Path, seconds: float) -> dict[str, Any]:
    """The answer of the program; it gets no variable that could change an engine's bytes."""
    place = scratch / "job.json"
    place.write_text(json.dumps(job), encoding="utf-8")
    given = {**{key: os.environ[key] for key in KEPT if key in os.environ}, **SETTINGS}
    command = [python, "-I", str(BUILDER), str(place)]
    try:
        done = subprocess.run(command, cwd=scratch, env=given, capture_output=True, text=True, timeout=seconds)
    except OSError as error:
        raise MissingToolError(f"the interpreter {python} cannot be started: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise ConversionError(f"TensorRT gave no engine within {seconds:g} s: build for fewer sizes") from None
    answer = place.with_suffix(".answer")
    if done.returncode or not answer.is_file():
        last = " ".join((done.stdout + done.stderr).strip().splitlines()[-WORDS:])
        raise ConversionError(f"the process that makes engines ended with {done.returncode} and no answer: {last}")
    found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    return found
