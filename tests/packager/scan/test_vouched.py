"""What `--code` makes trusted: what its modules define, and nothing that they merely can reach."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from mlpack_toolkit.packager.scan import Vouched, scan, vouched

MODULE = """
import os
from subprocess import run
import numpy as np

LIMIT = 3

class Ratio:
    class Inner: ...

def log_all(x): return np.log(x)

if LIMIT:
    class Other: ...
else:
    def spare(x): ...
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    files = ("steps.py", "own/__init__.py", "own/deep/more.py", "sklearn/__init__.py", "os.py", "not-a-name.py")
    for name in files:
        (tmp_path / "code" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "code" / name).write_text(MODULE)
    (tmp_path / "code/broken.py").write_text("class Broken(:")
    return tmp_path / "code"


def test_classes_and_functions_of_own_modules(code: Path) -> None:
    found = vouched([code])
    modules = ("own", "own.deep.more", "steps")
    assert found.classes == {f"{m}.{name}" for m in modules for name in ("Ratio", "Other")}
    assert found.functions == {f"{m}.{name}" for m in modules for name in ("log_all", "spare")}


def written(folder: Path, raw: bytes) -> Path:
    (folder / "m.pkl").write_bytes(raw)
    return folder / "m.pkl"


@pytest.mark.parametrize(
    ("raw", "refused"),
    [
        (b"csteps\nRatio\n)\x81.", ()),
        (b"csteps\nRatio\n(tR.", ()),
        (b"csteps\nlog_all\n.", ()),
        (b"csteps\nlog_all\n(I1\ntR.", ("steps.log_all",)),
        (b"csteps\nrun\n(Vls\ntR.", ("steps.run",)),
        (b"csteps\nrun\n.", ("steps.run",)),
        (b"csteps\nLIMIT\n.", ("steps.LIMIT",)),
        (b"\x80\x04\x8c\x05steps\x8c\x09os.system\x93.", ("steps.os.system",)),
        (b"\x80\x04\x8c\x05steps\x8c\x0bRatio.Inner\x93.", ("steps.Ratio.Inner",)),
        (b"csteps.sub\nRatio\n.", ("steps.sub.Ratio",)),
        (b"csklearn\nRatio\n)\x81.", ("sklearn.Ratio",)),
        (b"cos\nRatio\n)\x81.", ("os.Ratio",)),
    ],
)
def test_what_a_pickle_may_ask_of_them(code: Path, raw: bytes, refused: tuple[str, ...]) -> None:
    """A class may be made, a function be mentioned; what a module imports, holds or reaches is not its own."""
    path = written(code.parent, raw)
    assert scan(path, (), vouched([code])).refused == refused
    assert scan(path).refused, "without --code nothing of it is trusted"


def test_a_real_pickle(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    monkeypatch.syspath_prepend(code / "own")
    monkeypatch.chdir(code.parent)
    more = importlib.import_module("deep.more")
    path = written(code.parent, pickle.dumps([more.Ratio(), more.log_all]))
    assert scan(path, (), vouched([code / "own"])).refused == ()
    assert scan(path, (), vouched([code])).refused == ("deep.more.Ratio", "deep.more.log_all")
    assert scan(path, (), Vouched()).refused == ("deep.more.Ratio", "deep.more.log_all")
