"""Real files of torch: scanned, loaded under the guard, built into bundles, by an interpreter that has torch."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.packager.scan import require_trusted, scan
from mlpack_toolkit.packager.scan.allowlist import allowed_names, referred_names
from tests.conftest import Run
from tests.quick import TORCH

from .test_torch_pickles import NAMES, USES
from .torch_forge import saved, state_dict

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(not TORCH, reason="needs torch: MLPACK_TORCH_PYTHON names an interpreter that has it")

NET = """
from torch import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(4, 3)
        self.act = nn.GELU()

    def forward(self, x):
        return self.act(self.dense(x))


def make():
    return Net()


def other():
    return nn.Linear(4, 3)


def wider():
    net = Net()
    net.dense = nn.Linear(5, 3)
    return net


def nothing():
    return 1


def tied():
    both = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
    both[1].weight = both[0].weight
    return both
"""
SAVE = """
import torch, mine
from safetensors.torch import save_file, save_model

torch.manual_seed(0)
net = mine.Net().eval()
torch.save(net, "net.pt")
torch.save(net.state_dict(), "weights.pt")
torch.save({"model": net.state_dict(), "epoch": 3}, "checkpoint.pt")
torch.save([1, 2], "list.pt")
save_file(net.state_dict(), "weights.safetensors")
save_model(mine.tied(), "tied.safetensors")
rows = torch.export.Dim("rows")
torch.export.save(torch.export.export(net, (torch.randn(3, 4),), dynamic_shapes=({0: rows},)), "net.pt2")
torch.jit.trace(net, torch.randn(3, 4)).save("script.pt")
"""


def asked(*command: str, folder: Path = ROOT) -> str:
    paths = os.pathsep.join(map(str, (ROOT / "src", ROOT, folder)))
    done = subprocess.run(
        [TORCH, *command], capture_output=True, text=True, cwd=folder, env={**os.environ, "PYTHONPATH": paths}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def told(what: str, path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(asked("-m", "tests.packager.scan.torch_program", what, str(path)))
    return found


def loaded(files: Mapping[Path, Mapping[str, Any]], folder: Path) -> dict[str, Any]:
    plan = folder / "plan.json"
    plan.write_text(json.dumps({str(path): facts for path, facts in files.items()}))
    return told("load", plan)


def test_modules_and_weights_are_read_exactly_as_torch_reads_them(tmp_path: Path) -> None:
    files = {}
    for name in told("make", tmp_path)["made"]:
        path = tmp_path / name
        found = scan(path)
        require_trusted(found, path)
        assert found.kind == ("torch_weights" if "weights" in name else "torch")
        files[path] = {"names": found.names, "own": (), "referred": found.referred, "compare": True}
    done = loaded(files, tmp_path)
    assert done["fired"] == [] and len(done["ends"]) == len(files) == 22
    assert {name: end for name, end in done["ends"].items() if end != "the same"} == {}


def test_what_the_scan_refuses_the_guard_refuses_too(tmp_path: Path) -> None:
    """The hostile files, as if the scan had let all listed names and all names of the file pass as mentions."""
    files = {}
    referred = (*referred_names(), "os.system")
    for group in (NAMES, USES):
        for number, (name, (value, _)) in enumerate(group.items()):
            path = tmp_path / f"{group is USES} {number} {name.replace('/', ' ')}.pt"
            path.write_bytes(saved(state_dict(w=value)))
            trusted = (*allowed_names(), *referred)
            files[path] = {"names": trusted, "own": (), "referred": referred, "compare": False}
    done = loaded(files, tmp_path)
    assert done["fired"] == []
    let_in = {Path(name).stem for name, end in done["ends"].items() if not end.startswith("refused")}
    assert let_in == {"False 2 a hook"}, done["ends"]  # a mention, which the scan refuses by its name


@pytest.fixture(scope="module")
def files(torch: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a module of the user's own in every container of torch."""
    folder = tmp_path_factory.mktemp("torch")
    (folder / "code").mkdir()
    (folder / "code" / "mine.py").write_text(NET)
    (folder / "mine.py").write_text(NET)
    asked("-c", SAVE, folder=folder)
    (folder / "mine.py").unlink()
    np.savez(folder / "x.npz", x=np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32))
    return folder


def build(mlpack: Run, files: Path, name: str, *more: str) -> tuple[int, dict[str, Any], str]:
    given = ("--example", files / "x.npz", "--python", TORCH, "--code", files / "code", "--target", "docker")
    return mlpack("build", files / name, *given, *more)


FACTORY = ("-O", "torch.factory=mine:make")
BUILT = {"net.pt": (), "weights.pt": FACTORY, "weights.safetensors": FACTORY, "net.pt2": ()}


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILT)
def test_each_container_of_torch_becomes_a_bundle(name: str, files: Path, mlpack: Run) -> None:
    code, done, error = build(mlpack, files, name, *BUILT[name])
    assert code == 0, error
    assert done["verification"]["verdict"] == "equal"
    if name == "weights.pt":
        again = ("bench", done["bundle"], "--against", "original", "--python", TORCH, "--seconds", "0.05")
        code, told, _ = mlpack(*again)
        assert code == 3 and "--allow mine.make" in told["error"]["message"]
        assert mlpack(*again, "--allow", "mine.make")[0] == 0


LOADED: dict[str, tuple[str, str, str]] = {
    "weights": ("weights.pt", "mine:make", "Net"),
    "safetensors": ("weights.safetensors", "mine:make", "Net"),
    "a program": ("net.pt2", "", "ExportedProgram"),
    "TorchScript": ("script.pt", "", "TopLevelTracedModule|RecursiveScriptModule"),
    "no factory": ("weights.pt", "", "Unreadable: .*-O torch.factory=module:function"),
    "a checkpoint": ("checkpoint.pt", "mine:make", "Unreadable: .*'model' is of OrderedDict.*module.state_dict"),
    "another module": ("weights.pt", "mine:other", "Unreadable: .*lacks 'weight', 'bias' and the module lacks 'dense"),
    "another width": ("weights.safetensors", "mine:wider", r"Unreadable: .*'dense.weight' is \[3, 4\] in the file"),
    "no module": ("weights.pt", "mine:nothing", "Unreadable: .*gives a int, not a torch.nn.Module"),
    "no function": ("weights.pt", "mine:none", "Unreadable: .*is not found in the folders of --code"),
    "a tied weight in one place": ("tied.safetensors", "mine:tied", "ModuleList"),
}


def test_weights_need_a_factory_that_fits_them(files: Path) -> None:
    plan = files / "plan.json"
    plan.write_text(json.dumps({what: (name, {"factory": factory}) for what, (name, factory, _) in LOADED.items()}))
    for what, end in told("refuse", plan).items():
        assert re.fullmatch(f"(?s){LOADED[what][2]}.*", end), (what, end)


@pytest.mark.parametrize(
    ("name", "said"), [("list.pt", "holds a list, not a module"), ("weights.pt", "torch.factory=")]
)
def test_a_build_of_a_file_without_a_module_ends_with_exit_3(name: str, said: str, files: Path, mlpack: Run) -> None:
    code, done, error = build(mlpack, files, name)
    assert (code, done["error"]["kind"]) == (3, "ModelError") and said in error
