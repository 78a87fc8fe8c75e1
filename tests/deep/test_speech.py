"""Three bundles that a host drives in a loop say what the three modules say in torch."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks.coverage_torch import build_command, in_torch
from mlpack_toolkit.converters.spec import Table
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.equivalence.runners import Graph
from mlpack_toolkit.packager.equivalence.session import session_of
from tests.quick import TORCH

pytestmark = [
    pytest.mark.slow,
    pytest.mark.full,
    pytest.mark.skipif(not Path(TORCH).is_file(), reason="`make torch` makes the interpreter with torch"),
]
FRAMES = 20
PARTS = ("encoder", "step", "vocoder")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Graph]:
    """The graphs of the three bundles, as `mlpack build` makes them."""
    systems = {each["key"]: each for each in in_torch("list")}
    found = {}
    for part in PARTS:
        folder = tmp_path_factory.mktemp(part)
        in_torch("make", f"speech:{part}", folder)
        done = subprocess.run(build_command(systems[f"speech:{part}"], folder), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found[part] = Graph(part, session_of(open_bundle(folder / "dist" / "model-1.0.0")))
    return found


def test_a_host_drives_encoder_step_and_vocoder(parts: dict[str, Graph], tmp_path: Path) -> None:
    script = Path(__file__).with_name("speak.py")
    subprocess.run([TORCH, script, tmp_path / "said.npz", str(FRAMES)], check=True)
    said = np.load(tmp_path / "said.npz")
    read = parts["encoder"].run({"text": said["text"]})
    frames = spoken(parts["step"], read)
    sound = parts["vocoder"].run({"mel": frames})["output"]
    assert frames.std(axis=2).max() > 1e-4, "the frames are to differ from each other"
    np.testing.assert_allclose(frames, said["frames"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(sound, said["sound"], rtol=1e-4, atol=1e-5)


def spoken(step: Graph, read: Table) -> np.ndarray:
    """The frames, each made from the one before, as any host would do."""
    shapes = {t.name: t.shape for t in step.signature.inputs}
    letters = read["memory"].shape[1]
    said = {
        name: np.zeros([{"N": 1, "length": letters}.get(str(d), d) for d in shape], np.float32)
        for name, shape in shapes.items()
    }
    frames = []
    for _ in range(FRAMES):
        answer = step.run({**said, **read})
        said = {name: answer["mel" if name == "frame" else name] for name in said if name not in read}
        frames.append(answer["mel"])
    return np.stack(frames, -1)
