"""The guard alone: files that no scan has seen are loaded, and nothing that they say is called."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from mlpack_toolkit.converters._trust.guard import Guard, Trusted
from mlpack_toolkit.converters._trust.loading import load_joblib, load_pickle
from mlpack_toolkit.converters._trust.rules import Refused
from mlpack_toolkit.converters._trust.unpickler import guarded
from mlpack_toolkit.converters.messages import Load
from mlpack_toolkit.packager.errors import ModelError
from mlpack_toolkit.packager.original.worker import Limits, Worker
from mlpack_toolkit.packager.scan.allowlist import allowed_names, referred_names
from tests.packager.scan.test_hostile import CLASS, STATE, text

from .attacks import MODEL, PARTIAL, later, loading
from .forge import WRITERS, G, append, build, call, new, setitem, written

EVERYTHING = Trusted({*allowed_names(), *referred_names()}, (), referred_names())
FIRE = G("numpy.exp")
LOADED = {"a word that comes later", "fields that change later"}
"""What the guard loads and the scan does not: it hands the object a copy, which the file can no longer reach."""


@pytest.fixture(scope="module")
def ends() -> dict[str, Any]:
    program = [sys.executable, "-W", "ignore", "-m", "tests.packager.scan.guarded"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"the process died at {done.stderr.splitlines()[-1:]}"
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_no_form_on_no_listed_name_calls_anything(ends: dict[str, Any]) -> None:
    assert ends["fired"] == []
    assert sum(map(len, ends["ends"].values())) > 40_000


def test_all_is_refused_that_can_be_made_here_at_all(ends: dict[str, Any]) -> None:
    """The other ends are names of other releases, and classes that cannot be made without their arguments."""
    assert set(ends["ends"]) <= {"refused", "loaded", "ModuleNotFoundError", "AttributeError", "TypeError", "KeyError"}
    assert set(ends["ends"]["loaded"]) == LOADED
    assert len(ends["ends"]["refused"]) > 35_000


@pytest.mark.parametrize("name", sorted({**loading(FIRE), **later(FIRE)}.keys() - LOADED))
@pytest.mark.parametrize("kind", WRITERS)
def test_an_attack_is_refused_in_every_encoding(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / "m"
    path.write_bytes(WRITERS[kind]({**loading(FIRE), **later(FIRE)}[name]))
    with pytest.raises(Refused):
        (load_joblib if kind in ("zlib", "joblib") else load_pickle)(path, EVERYTHING)


def loaded(data: bytes, trusted: Trusted = EVERYTHING) -> Any:
    loader = guarded(pickle._Unpickler)(io.BytesIO(data))
    loader.guard = Guard(trusted)
    return loader.load()


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02cos\nsystem\n.",
        b"\x80\x02csklearn.linear_model._logistic\nLogisticRegression.fit\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"(ios\nsystem\n.",
        b"c__builtin__\neval\n.",
        b"\x80\x02\x82\x01.",
        b"\x80\x02Pid\n.",
        b"\x80\x02NQ.",
    ],
)
def test_a_name_that_the_scan_did_not_see_is_not_looked_up(data: bytes) -> None:
    with pytest.raises(Refused):
        loaded(data)


def test_names_are_those_of_the_file_not_of_the_list() -> None:
    seen = Trusted(["copyreg._reconstructor"], (), ())
    with pytest.raises(Refused, match="did not see"):
        loaded(written(new(MODEL), 2), seen)


def test_an_array_of_objects_in_a_joblib_file_is_loaded_under_guard(tmp_path: Path) -> None:
    """joblib reads it as a pickle of its own."""
    outer = CLASS + b")\x81" + STATE.replace(text("u1"), text("O8")) + b"ub"
    (tmp_path / "m").write_bytes(b"\x80\x02" + outer + written(loading(FIRE)["APPEND on an object"], 2) + b".")
    with pytest.raises(Refused, match="append"):
        load_joblib(tmp_path / "m", EVERYTHING)


def test_an_array_wrapper_is_no_object_like_others(tmp_path: Path) -> None:
    for state in ({"subclass": MODEL, "shape": (1,), "dtype": 1}, {"read": FIRE}, {"shape": (1,), "order": "C"}):
        (tmp_path / "m").write_bytes(written(build(new(G("joblib.numpy_pickle.NumpyArrayWrapper")), state), 2))
        with pytest.raises(Refused):
            load_joblib(tmp_path / "m", EVERYTHING)


def test_joblib_that_reads_past_the_guard_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joblib.dump([1], tmp_path / "m")
    monkeypatch.setattr("joblib.numpy_pickle.load", lambda path: [1])
    with pytest.raises(Refused, match="without the guard"):
        load_joblib(tmp_path / "m", EVERYTHING)


def test_the_users_own_class_keeps_its_manners_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its methods are the class's; what the file puts in an object is data."""

    class Steps(list):  # type: ignore[type-arg]
        def __setstate__(self, state: Any) -> None:
            self.state = state

    class Bare:
        pass

    monkeypatch.setattr("tests.packager.scan.attacks.Steps", Steps, raising=False)
    monkeypatch.setattr("tests.packager.scan.attacks.Bare", Bare, raising=False)
    own = tuple(f"tests.packager.scan.attacks.{name}" for name in ("Steps", "Bare"))
    trusted = Trusted({*EVERYTHING.names, *own}, own, EVERYTHING.referred)
    made = loaded(written(build(append(new(G(own[0])), 1), ("any", "state")), 2), trusted)
    assert (list(made), made.state) == ([1], ("any", "state"))
    assert vars(loaded(written(build(new(G(own[1])), {"a": 1}), 2), trusted)) == {"a": 1}
    for form in (
        build(new(G(own[1])), {"append": FIRE}),
        build(new(G(own[1])), {"__class__": FIRE}),
        build(build(new(G(own[1])), {"a": 1}), {"b": 1}),
        append(build(new(G(own[1])), {"extend": FIRE}), 1),
        build(new(G(own[1])), {"a": MODEL}),
    ):
        with pytest.raises((Refused, AttributeError)):
            loaded(written(form, 2), trusted)


def test_a_partial_and_a_scorer_that_models_have_are_loaded() -> None:
    clip = build(call(PARTIAL, G("numpy.clip")), (G("numpy.clip"), (), {"a_min": 0, "a_max": 1}, None))
    assert loaded(written(clip, 2))(np.array([3.0])) == 1.0
    assert loaded(written(setitem({}, "append", 1), 0)) == {"append": 1}


def test_the_worker_refuses_with_a_sentence_what_it_would_not_have_been_sent(tmp_path: Path) -> None:
    path = tmp_path / "evil.pkl"
    path.write_bytes(written(loading(FIRE)["BUILD twice"], 2))
    names = tuple(sorted(EVERYTHING.names))
    with Worker(sys.executable, tmp_path, Limits()) as worker, pytest.raises(ModelError) as caught:
        worker.call(Load(str(path), "pickle", names, referred=tuple(sorted(referred_names()))))
    assert caught.value.exit_code == 3
    assert str(caught.value).startswith("evil.pkl sets `__setstate__`, which is a method, on an object while it loads.")
