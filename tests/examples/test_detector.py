"""The detector, trained and built: Python, the server and C++ find the boxes that the module finds."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.runtimes import load
from mlpack_toolkit.runtimes.server.bundle_info import describe
from mlpack_toolkit.runtimes.server.model import Model
from mlpack_toolkit.runtimes.server.protocol.payloads import predict as ask
from tests.make import build_model
from tests.quick import TORCH

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not TORCH, reason="needs torch: MLPACK_TORCH_PYTHON names an interpreter that has it"),
    pytest.mark.slow,
]
FOLDER = Path(__file__).parents[2] / "examples" / "detector"
OPTIONS = {"image": "image:chw", "dynamic": "image.1:height[32..640],image.2:width[32..640]"}
STEPS = 120
ASK = """
import json, sys
from pathlib import Path
import numpy as np, torch
from PIL import Image
folder = Path(sys.argv[1])
module = torch.load(folder / "detector.pt", weights_only=False)
for path in sorted((folder / "others").iterdir()):
    pixels = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)
    print(json.dumps({name: values.tolist() for name, values in module(pixels).items()}))
"""


@pytest.fixture(scope="module")
def made(torch: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("detector")
    subprocess.run([TORCH, FOLDER / "make.py", folder, str(STEPS)], check=True, timeout=500)
    model, example = folder / "detector.pt", folder / "pictures" / "1.png"
    options: dict[str, Any] = {"python": TORCH, "code": (FOLDER / "code",), "options": {"torch": OPTIONS}}
    build_model(model, example, folder / "dist", ("cpp", "java"), **options)
    return folder


@pytest.fixture(scope="module")
def bundle(made: Path) -> Path:
    return made / "dist" / "detector-1.0.0"


def originals(made: Path) -> list[dict[str, Any]]:
    """What the module itself finds in the pictures of another size."""
    environment = {**os.environ, "PYTHONPATH": str(FOLDER / "code")}
    command = [TORCH, "-c", ASK, str(made)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=120)
    return [json.loads(line) for line in done.stdout.splitlines()]


def same(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    near = all(np.allclose(found[name], wanted[name], rtol=1e-4, atol=1e-3) for name in ("boxes", "scores"))
    return near and found["labels"] == wanted["labels"]


def test_python_and_the_server_find_what_the_module_finds(made: Path, bundle: Path, tmp_path: Path) -> None:
    assert open_bundle(bundle).signature.inputs[0].image == "rgb"
    wanted = originals(made)
    assert any(each["labels"] for each in wanted), "the detector finds something"
    predict(bundle, made / "others", tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    assert [each["image"] for each in found] == ["1.png", "2.png"]
    assert all(same(*pair) for pair in zip(found, wanted, strict=True))
    model = Model(describe(bundle))
    for name, one in zip(("1.png", "2.png"), wanted, strict=True):
        [answer] = json.loads(
            ask(model, {b"content-type": b"image/png"}, (made / "others" / name).read_bytes(), 1).body
        )
        assert same(answer, one)


@pytest.mark.parametrize("target", ["cpp", "java"])
def test_projects_replay_and_the_example_answers(target: str, made: Path, bundle: Path, tmp_path: Path) -> None:
    project = bundle / "deploy" / target
    for step in load(target).steps(project, tmp_path):
        environment = {**os.environ, **(step.environment or {})}
        command = (step.tool, *step.arguments)
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    if target == "java":
        return
    for name, one in zip(("1", "2"), originals(made), strict=True):
        Image.open(made / "others" / f"{name}.png").save(tmp_path / "picture.ppm")
        command = (str(tmp_path / "cpp" / "detector_image"), str(tmp_path / "picture.ppm"))
        lines = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
        said = {line.partition(" ")[0]: line.partition(":")[2].split() for line in lines}
        boxes = np.array(said["boxes"], float).reshape(-1, 4)
        assert np.allclose(boxes, np.array(one["boxes"], float).reshape(-1, 4), rtol=1e-3, atol=1e-2)
        assert [int(label) for label in said["labels"]] == one["labels"]
