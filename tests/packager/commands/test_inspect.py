"""`mlpack inspect`: facts without running or loading anything."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.commands.inspect import inspect
from mlpack_toolkit.packager.errors import ModelError, UsageError
from tests.packager.conftest import HOSTILE, Made
from tests.seal import seal

ROOT = Path(__file__).parents[3]

WATCH = """
import sys
calls = []
def hook(event, args):
    if event.startswith(("pickle.", "subprocess.", "socket.", "os.system", "os.exec", "os.posix_spawn", "os.fork")):
        calls.append(event)
sys.addaudithook(hook)
from pathlib import Path
from mlpack_toolkit.packager.commands.inspect import inspect
inspect(Path(sys.argv[1]))
heavy = ("sklearn", "onnxruntime", "pandas", "joblib", "scipy", "xgboost", "lightgbm", "catboost", "skops")
print(calls, [name for name in heavy if name in sys.modules])
"""


@pytest.mark.parametrize("what", ["bundle", "model", "graph"])
def test_runs_and_loads_nothing(what: str, flowers: Made) -> None:
    path = {"bundle": flowers.folder, "model": flowers.model, "graph": flowers.folder / "model" / "model.onnx"}[what]
    done = subprocess.run(
        [sys.executable, "-c", WATCH, str(path)], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[] []"), done.stderr


def test_a_bundle(crew: Made) -> None:
    facts = inspect(crew.folder)
    assert facts["bundle"] == "crew 1.0.0" and facts["identity"] == crew.bundle.identity
    assert facts["task"] == "classifier" and facts["classes"] == ["<b>aye</b>", 'no "way"']
    assert [line.split(":")[0] for line in facts["inputs"]] == ["mood", HOSTILE, "age"]
    assert facts["inputs"][0].startswith("mood: string [N, 1], never missing, one of [")
    assert facts["outputs"][0] == "label: string [N]"
    assert facts["verification"].startswith("equal: ")
    assert any(line.startswith("scikit-learn==") for line in facts["distributions"])
    assert facts["files"] == len(crew.bundle.manifest.files)
    size = (crew.folder / "model/model.onnx").stat().st_size
    types = facts["precision"]
    said = f"reference: onnx, {types}, CPUExecutionProvider, model/model.onnx ({size:,} bytes)"
    assert facts["variants"] == [said]


def test_an_environment_by_licence_and_what_no_index_had(copy: Path) -> None:
    def installed(name: str, licence: str, *altered: str) -> dict[str, Any]:
        return {"name": name, "version": "1.0", "licence": licence, "altered": list(altered)}

    found = [installed("zlibby", "MIT"), installed("mine", ""), installed("b", "BSD-3-Clause"), installed("a", "MIT")]
    edit(copy / "environment/python/environment.json", distributions=[*found, installed("bent", "MIT", "bent/x.py")])
    why = "the index has no wheel of this version (any more)"
    seal(copy, environment={"unproved": [{"name": "mine", "version": "1.0", "why": why}]})
    facts = inspect(copy)
    assert list(facts["licences"]) == ["BSD-3-Clause", "MIT", "not stated"]
    assert facts["licences"]["MIT"] == ["zlibby", "a", "bent"] and facts["licences"]["not stated"] == ["mine"]
    assert facts["altered"] == ["bent 1.0: bent/x.py"]
    assert facts["not on the index"] == [f"mine 1.0: {why}"]


def test_an_older_capture_states_no_licence(copy: Path) -> None:
    old = {"name": "numpy", "version": "2.0", "installer": "pip"}
    edit(copy / "environment/python/environment.json", distributions=[old])
    seal(copy, environment={})
    facts = inspect(copy)
    assert facts["licences"] == {"not stated": ["numpy"]} and facts["altered"] == [] == facts["not on the index"]


def test_the_command_lists_the_licences(flowers: Made) -> None:
    command = [sys.executable, "-m", "mlpack_toolkit", "inspect", str(flowers.folder.resolve())]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    after = done.stdout.partition("\nlicences:\n")[2].splitlines()
    expected = [f"  {licence}: {', '.join(names)}" for licence, names in inspect(flowers.folder)["licences"].items()]
    assert expected and after[: len(expected)] == expected


def edit(path: Path, **facts: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))


class Gadget:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, (f"touch {self.trace}",)


def test_a_hostile_pickle_is_told_not_run(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Gadget(tmp_path / "trace")))
    facts = inspect(tmp_path / "model.pkl")
    assert facts["imports"] == ["posix.system"] == facts["not on the allow-list"]
    assert not (tmp_path / "trace").exists()


def test_a_model_file(flowers: Made) -> None:
    facts = inspect(flowers.model)
    assert (facts["kind"], facts["root"]) == ("joblib", "sklearn.linear_model._logistic.LogisticRegression")
    assert facts["not on the allow-list"] == [] and "sklearn" in facts["packages"]
    assert facts["bytes"] == flowers.model.stat().st_size


def test_a_graph(flowers: Made) -> None:
    assert inspect(flowers.folder / "model" / "model.onnx")["framework"] == "onnx"


def test_what_is_neither(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="neither a model file, nor a bundle, nor a folder of TensorFlow, MLflow or Hugging Face"
    ):
        inspect(tmp_path)
    (tmp_path / "x.pkl").write_bytes(b"")
    with pytest.raises(ModelError, match="empty"):
        inspect(tmp_path / "x.pkl")


def test_the_command(flowers: Made, mlpack: Callable[..., tuple[int, dict[str, Any], str]]) -> None:
    code, facts, error = mlpack("inspect", flowers.folder)
    assert (code, error) == (0, "") and facts["bundle"] == "flowers 1.0.0"
