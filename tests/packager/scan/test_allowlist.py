"""The lists themselves: sorted, up to date, and free of what can run code."""

from __future__ import annotations

import importlib
import inspect
import operator
import os
import pickle
import subprocess
from pathlib import Path

import pytest

from mlpack_toolkit.packager.scan import allowlist, generate
from mlpack_toolkit.packager.scan.allowlist import allowed_names, referred_names
from mlpack_toolkit.packager.scan.machine import methods

FOLDER = Path(allowlist.__file__).parent
FORBIDDEN_MODULES = ("os", "posix", "subprocess", "operator", "importlib", "pickle", "marshal", "runpy", "sys", "types")


@pytest.mark.parametrize("file", ["allowed.txt", "referred.txt", "allowed_torch.txt", "referred_torch.txt"])
def test_a_list_has_one_dotted_name_a_line_sorted(file: str) -> None:
    lines = (FOLDER / file).read_text().splitlines()
    assert lines == sorted(set(lines))
    assert all("." in line and all(part.isidentifier() for part in line.split(".")) for line in lines)


def test_the_lists_hold_all_that_the_installed_frameworks_generate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    monkeypatch.setattr(generate, "_write", lambda file, names: found.update({file: names}))
    generate.main()
    assert found["methods.txt"] == methods()
    assert found["allowed.txt"] | allowlist._listed("allowed_torch.txt") == allowed_names()
    assert found["referred.txt"] | allowlist._listed("referred_torch.txt") == referred_names()
    assert not allowed_names() & referred_names()


def test_no_listed_name_is_a_module_or_one_of_the_callables_that_run_code() -> None:
    forbidden = {
        eval,
        exec,
        getattr,
        setattr,
        __import__,
        compile,
        open,
        type,
        os.system,
        pickle.loads,
        subprocess.Popen,
    }
    forbidden |= {operator.attrgetter, operator.methodcaller, operator.itemgetter, vars, map, globals, input, delattr}
    resolved = 0
    for name in allowed_names() | referred_names():
        module, _, attribute = name.rpartition(".")
        assert module.split(".")[0] not in FORBIDDEN_MODULES
        try:
            value = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError):
            continue  # the name of another release
        resolved += 1
        assert not inspect.ismodule(value), name
        assert not any(value is bad for bad in forbidden), name
        assert getattr(value, "__module__", "").split(".")[0] not in FORBIDDEN_MODULES, name
    assert resolved > 1350


def test_names_of_state_that_executes_source_text_are_not_listed() -> None:
    assert not [name for name in allowed_names() | referred_names() if name.startswith("scipy.stats")]
