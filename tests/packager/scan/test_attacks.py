"""The scan alone against files of allowed names: what no model does is refused before anything is loaded."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from mlpack_toolkit.packager.errors import ModelError, UntrustedError
from mlpack_toolkit.packager.original.source import take_source
from mlpack_toolkit.packager.scan import Vouched, require_trusted, scan
from mlpack_toolkit.packager.scan.allowlist import Trust, allowed_names
from mlpack_toolkit.packager.scan.machine import Machine, Trace
from mlpack_toolkit.packager.scan.opcodes import run
from mlpack_toolkit.packager.scan.reader import Reader
from mlpack_toolkit.packager.scan.values import Fault

from .attacks import BUNCH, MODEL, PARTIAL, dtypes, hostile, later, loading
from .forge import WRITERS, G, add, appends, build, call, new, setitems, written

FIRE = G("numpy.exp")
ALL = {**loading(FIRE), **later(FIRE), **dtypes()}
HONEST = {
    "a model with a function": build(new(MODEL), {"func": FIRE, "a": [1, (2, "x")], "b": {"c": None}}),
    "a partial": build(call(PARTIAL, FIRE), (FIRE, (), {"a": 1}, None)),
    "a Bunch": setitems(new(BUNCH), "a", 1),
    "a list": appends([], 1, {"a": [1]}),
    "a set": add(call(G("builtins.set"), [1]), 2),
    "a dict": setitems(call(G("collections.OrderedDict")), "append", 1),
    "a stack": build(new(G("sklearn.ensemble._stacking.StackingClassifier")), {"stack_method_": ["predict_proba"] * 3}),
}


def refused(path: Path, data: bytes, own: Vouched | None = None) -> str:
    """Why the file is refused; empty: it is not."""
    path.write_bytes(data)
    try:
        require_trusted(scan(path, (), own or Vouched()), path)
    except ModelError as error:
        assert error.exit_code == 3
        return str(error)
    return ""


@pytest.mark.parametrize("name", HONEST)
def test_what_these_attacks_are_made_of_is_allowed_by_itself(tmp_path: Path, name: str) -> None:
    for write in WRITERS.values():
        assert refused(tmp_path / "m", write(HONEST[name])) == ""


@pytest.mark.parametrize("name", ALL)
def test_an_attack_is_refused_in_every_encoding(tmp_path: Path, name: str) -> None:
    for kind, write in WRITERS.items():
        said = refused(tmp_path / "m", write(ALL[name]))
        assert said.count(". ") <= 2 and len(said) > 60, (kind, said)


@pytest.mark.parametrize("name", loading(FIRE))
def test_a_function_of_the_users_own_cannot_be_called_either(tmp_path: Path, name: str) -> None:
    own = Vouched(functions=frozenset({"steps.log_all"}))
    form = loading(G("steps.log_all"))[name]
    assert refused(tmp_path / "m", written(form, 2), own)


def test_the_sentence_names_the_file_the_deed_and_the_next_step(tmp_path: Path) -> None:
    path = tmp_path / "evil.joblib"
    path.write_bytes(written(ALL["APPEND on an object"], 2))
    with pytest.raises(UntrustedError) as caught:
        take_source(path, tmp_path / "copy", ())
    assert str(caught.value) == (
        f"{path} sets `append`, which is a method, on an object while it loads. No trained model does "
        "this: do not load it, or save the model again if it is yours."
    )
    assert caught.value.to_json() == {"exit": 3, "kind": "UntrustedError", "message": str(caught.value), "names": []}


CLASSES = sorted(allowed_names())


class _Bytes(io.BytesIO):
    def skip(self, size: int) -> None:
        self.seek(size, io.SEEK_CUR)


def scanned(data: bytes) -> str:
    """Why the instructions are refused; empty: they are not. Quicker than by a file."""
    trace = Trace(Trust())
    try:
        run(Machine(Reader(_Bytes(data)), trace))
    except Fault as fault:
        return str(fault)
    return trace.forbidden or ", ".join(trace.trust.refused(trace.names, trace.called))


@pytest.mark.parametrize("part", range(8))
def test_no_listed_name_lets_an_instruction_call_what_the_file_says(part: int) -> None:
    for name in CLASSES[part::8]:
        for form in hostile(G(name), FIRE):
            assert scanned(written(form, 4)), (name, form)


def test_the_quick_way_says_what_the_scan_of_a_file_says(tmp_path: Path) -> None:
    for form in ALL.values():
        assert scanned(written(form, 4)) in refused(tmp_path / "m", written(form, 4))
    assert scanned(written(HONEST["a stack"], 4)) == ""
