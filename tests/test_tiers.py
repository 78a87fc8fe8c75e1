"""What makes a run short leaves nothing out unseen: shares, folders made once, tools."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks._estimators import names
from mlpack_toolkit.packager.commands import build
from tests.conftest import USERS_CLOCK
from tests.once import once
from tests.order import long_first
from tests.quick import CLOCK, environment
from tests.tiers import SHARE, _chooses_shared, third


def _always(parameters: list[object]) -> list[object]:
    return [p for p in parameters if isinstance(p, str)]


def test_a_third_is_the_same_third_whatever_else_there_is() -> None:
    every = list(names())
    kept = _always(third(every))
    assert len(third(every)) == len(every)
    assert len(every) / (SHARE + 1.5) < len(kept) < len(every) / (SHARE - 1)
    assert _always(third(every[::-1])) == kept[::-1] and _always(third(every[:50])) == [
        n for n in every[:50] if n in kept
    ]


@pytest.mark.parametrize("name", ["penguins", "no fixture"])
def test_a_parameter_that_names_a_shared_folder_needs_it(name: str, request: pytest.FixtureRequest) -> None:
    assert isinstance(request.node, pytest.Function)
    assert _chooses_shared(request.node) == (name == "penguins")


def test_each_worker_begins_with_long_tests(request: pytest.FixtureRequest) -> None:
    def file(name: str, *marks: str) -> list[pytest.Item]:
        found = []
        for mark in marks:
            item = pytest.Function.from_parent(request.node.parent, name=name + mark, callobj=lambda: None)
            item.path = Path(name)
            found.append(item)
            if mark:
                item.add_marker(mark)
        return found

    short, one, two, more = file("a", *[""] * 5), file("b", "slow", ""), file("c", "slow", "slow"), file("d", "")
    order = long_first([*short, *one, *two, *more], 2)
    assert order == [*one, *short[:3], *two, *short[3:], *more]
    assert long_first([*short, *one], 1) == [*one, *short] and long_first([], 2) == []


def test_builds_of_the_tests_are_timed_for_a_moment() -> None:
    assert CLOCK == build.SECONDS_PER_BATCH_SIZE < USERS_CLOCK == 0.1


@pytest.mark.usefixtures("real_clock")
def test_and_on_request_as_long_as_those_of_a_user() -> None:
    assert build.SECONDS_PER_BATCH_SIZE == USERS_CLOCK


def test_a_folder_is_filled_once_and_anew_where_that_failed(tmp_path_factory: pytest.TempPathFactory) -> None:
    filled = []

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError

    def fill(folder: Path) -> None:
        filled.append([p.name for p in folder.iterdir()])
        (folder / "whole").touch()

    with pytest.raises(OSError):
        once(tmp_path_factory, "tried", fail)
    found = {once(tmp_path_factory, "tried", fill) for _ in range(3)}
    assert filled == [[]] and [p.name for p in found.pop().iterdir()] == ["whole"] and not found


def test_of_two_that_need_it_at_once_one_fills_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    filling, filled = threading.Event(), []

    def fill(folder: Path) -> None:
        filled.append(folder)
        filling.set()
        time.sleep(0.2)  # the other one opens the lock's file and waits

    def second() -> Path:
        filling.wait(10)
        return once(tmp_path_factory, "both", fill)

    with ThreadPoolExecutor() as pool:
        found = [pool.submit(once, tmp_path_factory, "both", fill), pool.submit(second)]
        assert found[0].result() == found[1].result() == filled[0]
    assert len(filled) == 1


def test_without_a_compiler_cache_the_compiler_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda tool: None)
    assert not [name for name in environment(tmp_path) if "CCACHE" in name or "CMAKE" in name]
    monkeypatch.setattr("shutil.which", lambda tool: f"/usr/bin/{tool}")
    assert environment(tmp_path)["CMAKE_CXX_COMPILER_LAUNCHER"].startswith("bash;")
