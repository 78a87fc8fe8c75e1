"""What is said of names that are not trusted: never to trust what gives everything away, nor what nobody finds."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from mlpack_toolkit.packager.errors import UntrustedError
from mlpack_toolkit.packager.scan import Scan, require_trusted, scan
from mlpack_toolkit.packager.scan.advice import advice, is_dangerous


def refusal(path: Path, *allow: str) -> str:
    with pytest.raises(UntrustedError) as caught:
        require_trusted(scan(path, allow), path)
    return str(caught.value)


def saved(module: str, name: str, path: Path, in_a_dict: bool = False) -> Path:
    """A pickle of an object of a class of that module, which is then gone."""
    owner = ModuleType(module)
    kept = sys.modules.get(module)
    made = type(name, (), {"__module__": module})
    setattr(owner, name, made)
    sys.modules[module] = owner
    try:
        path.write_bytes(pickle.dumps({"step": made()} if in_a_dict else made()))
    finally:
        if kept is None:
            del sys.modules[module]
        else:
            sys.modules[module] = kept
    return path


@pytest.mark.parametrize("allow", [(), ("__main__.Clip",), ("__main__",)])
def test_a_class_of_a_notebook(allow: tuple[str, ...], tmp_path: Path) -> None:
    said = refusal(saved("__main__", "Clip", tmp_path / "model.pkl"), *allow)
    assert "__main__.Clip was defined in a notebook or a script" in said
    assert "move it to a module" in said and "--code DIR" in said and "--allow" not in said


def test_a_class_of_a_module_may_be_trusted(tmp_path: Path) -> None:
    said = refusal(saved("steps_of_mine", "Clip", tmp_path / "model.pkl"))
    assert said.endswith("If you trust what it does, add --allow steps_of_mine.Clip.")
    assert "If the module is your own, give its folder with --code DIR. If you trust" in said


def test_a_name_of_a_known_package_is_nobodys_own() -> None:
    assert "--code" not in advice(["sklearn.mine.Step"], ["sklearn.mine.Step"])


def test_a_net_of_skorch_opens_a_second_pickle_itself() -> None:
    names = ["builtins.print", "skorch.classifier.NeuralNetClassifier"]
    said = advice(names, names)
    assert "torch.save(net.module_, FILE)" in said and "to_onnx_graph" in said and "--allow" not in said


def test_a_container_is_no_model_whatever_is_allowed(tmp_path: Path) -> None:
    said = refusal(saved("steps_of_mine", "Clip", tmp_path / "model.pkl", in_a_dict=True))
    assert said.endswith("The file holds a dict, not a model: save the fitted model alone.")
    assert "--allow" not in said


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (pd.DataFrame({"a": [1.0]}), "The file holds rows (a DataFrame of pandas), not a model: save the fitted model"),
        (pd.Series([1.0]), "The file holds rows (a Series of pandas), not a model: save the fitted model"),
        (("a", pd.DataFrame({"a": [1.0]})), "The file holds a tuple, not a model: save the fitted model alone"),
    ],
)
def test_rows_in_place_of_a_model(rows: object, said: str, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(rows))
    told = refusal(tmp_path / "model.pkl")
    assert said in told and "--allow" not in told


def test_very_many_names_are_cut() -> None:
    names = tuple(f"mine.Step{i}" for i in range(20))
    with pytest.raises(UntrustedError, match=r"mine\.Step15 and 12 more") as caught:
        require_trusted(Scan("pickle", names, names), Path("model.pkl"))
    assert len(caught.value.facts["names"]) == 20


def test_both_at_once() -> None:
    said = advice(["__main__.Clip", "steps.Clip"], ["__main__.Clip", "steps.Clip"])
    assert "move it to a module" in said and "--allow steps.Clip" in said and "--allow __main__" not in said


def test_code_by_value(tmp_path: Path) -> None:
    """As `cloudpickle.dumps` writes an object of a class of its own; the library itself is not needed to read it."""
    names = (
        "?",
        "builtins.type",
        "cloudpickle.cloudpickle._builtin_type",
        "cloudpickle.cloudpickle._make_skeleton_class",
    )
    with pytest.raises(UntrustedError) as caught:
        require_trusted(Scan("pickle", names, names), tmp_path / "model.pkl")
    said = str(caught.value)
    assert "holds code by value, as cloudpickle writes it" in said
    assert "save the model from there with joblib or pickle" in said and "--allow" not in said


@pytest.mark.parametrize(
    "name",
    [
        *("os.system", "posix.system", "subprocess.Popen", "builtins.eval", "builtins.type", "importlib.import_module"),
        *(
            "operator.attrgetter",
            "functools.partial",
            "pickle.loads",
            "joblib.load",
            "types.FunctionType",
            "sys.modules",
        ),
        *(
            "numpy.lib.os.system",
            "harmless.__globals__",
            "harmless.Class.__init__",
            "mine.subprocess.run",
            "ctypes.CDLL",
        ),
    ],
)
def test_what_gives_everything_away_is_never_proposed(name: str) -> None:
    said = advice([name, "mine.Step"], [name, "mine.Step"])
    assert is_dangerous(name) and f"{name} can run any code" in said and "--allow" not in said


@pytest.mark.parametrize("name", ["mine.platform.Step", "mine.code.Step", "statistics.NormalDist", "sklearn.x.Y"])
def test_what_only_sounds_so_is(name: str) -> None:
    assert not is_dangerous(name) and f"--allow {name}" in advice([name], [name])


class Gadget:
    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("touch trace",)


def test_a_gadget(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Gadget()))
    assert "posix.system can run any code, and no model needs that" in refusal(tmp_path / "model.pkl")
