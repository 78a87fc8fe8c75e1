"""What the page docs/coverage-caffe.md is made of, for one key, or for all small nets: prints a JSON object.

`python -m tests.converters.caffe.run_coverage KEY WIDTH [PEER]`; PEER: the program `caffe2onnx` of caffe-onnx.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from mlpack_toolkit.converters.spec import Unreadable, Unsupported
from tests.converters.caffe.architectures import ARCHITECTURES
from tests.converters.caffe.cases import CASES, REFUSED
from tests.converters.caffe.layerwise import Array, distance, errors, opened
from tests.converters.caffe.writer import Writer

SMALL = "small nets"
PIXELS = np.float32(60)
CLOSE = 1e-5
MOST_SECONDS = 120
NARROW = 1 / 16
"""The width of the nets that the plain converter is given."""


def architecture(name: str, width: float, peer: str) -> dict[str, Any]:
    """The line of an architecture: every blob of two images beside OpenCV's."""
    net = ARCHITECTURES[name](width)
    with tempfile.TemporaryDirectory() as folder:
        model = opened(net, Path(folder))
        shape = model.net.inputs[0].shape
        times = PIXELS if name == "SSD-300" else np.float32(1)
        x = {"data": np.random.default_rng(1).standard_normal((2, *shape[1:]), np.float32) * times}
        began = time.perf_counter()
        found = errors(model, x)
        numbers = sum(blob.size for blobs in model.weights.values() for blob in blobs)
        return {
            "name": name,
            "blobs": len(found),
            "parameters": numbers,
            "error": max(found.values()),
            "at": max(found, key=lambda key: found[key]),
            "seconds": time.perf_counter() - began,
            "peer": _narrow(name, {"data": x["data"][:1]}, peer),
        }


def _narrow(name: str, x: dict[str, Array], peer: str) -> str:
    """What the plain converter makes of the same net with few channels: it takes minutes for many weights."""
    net = ARCHITECTURES[name](NARROW)
    with tempfile.TemporaryDirectory() as folder:
        return beside(net, x, opened(net, Path(folder)).answers(x), peer)


def small_nets(peer: str) -> list[dict[str, Any]]:
    """A line for each small net, refused ones too."""
    lines = []
    for name, case in {**CASES, **{name: case for name, (case, _) in REFUSED.items()}}.items():
        line: dict[str, Any] = {"name": name, "kind": case.kind, "error": None, "why": ""}
        with tempfile.TemporaryDirectory() as folder:
            try:
                model = opened(case.net, Path(folder))
                line["error"] = max(errors(model, case.feeds()).values())
                line["peer"] = beside(case.net, case.feeds(), model.answers(case.feeds()), peer)
            except (Unreadable, Unsupported) as error:
                line["why"] = str(error)
        lines.append(line)
    return lines


def beside(net: Writer, x: dict[str, Array], want: dict[str, Array], peer: str) -> str:
    """What the plain converter makes of the net."""
    import onnxruntime as ort

    if not peer:
        return "not run"
    with tempfile.TemporaryDirectory() as folder:
        path = net.write(Path(folder))
        path.with_suffix(".caffemodel").write_bytes(net.binary)
        command = [peer, str(path), str(path.with_suffix(".caffemodel")), "m", folder]
        try:
            done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=MOST_SECONDS)
            made = next(Path(folder).rglob("*.onnx"), None)
            if made is None:
                return f"no graph: {_line((done.stderr or done.stdout).strip().splitlines()[-1:], folder)}"
            session = ort.InferenceSession(str(made), providers=["CPUExecutionProvider"])
            got = session.run(None, dict(zip((i.name for i in session.get_inputs()), x.values())))
        except Exception as error:  # whatever the other program or its graph raises
            return f"fails: {_line(str(error).strip().splitlines()[:1], folder)}"
    far = max((distance(a, b) for a, b in zip(got, want.values())), default=float("inf"))
    if far == float("inf"):
        return "WRONG: another shape"
    return "right" if far < CLOSE and len(got) == len(want) else f"WRONG by {far:.1e}"


def _line(lines: list[str], folder: str) -> str:
    """The line of an error, without addresses, and without the folder that is gone by then."""
    return re.sub(r"https?://\S+", "", "".join(lines).replace(f"{folder}/", ""))[:120].strip()


if __name__ == "__main__":
    key, share, program = sys.argv[1], float(sys.argv[2]), (sys.argv[3] if len(sys.argv) > 3 else "")
    print(json.dumps(small_nets(program) if key == SMALL else architecture(key, share, program)))
