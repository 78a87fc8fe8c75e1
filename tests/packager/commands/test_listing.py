"""`mlpack list` and `mlpack report`; the verdict of `mlpack diff` as a gate and as a page."""

from __future__ import annotations

import shutil
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.commands.listing import list_bundles, report_of
from mlpack_toolkit.packager.diff.verdict import ALIKE, APART, DIFFER, SAME, verdict
from mlpack_toolkit.packager.errors import DamagedError, MissingToolError, UsageError
from tests.packager.conftest import Made, make

Run = Callable[..., tuple[int, dict[str, Any], str]]


def test_bundles_are_found_below_a_folder(flowers: Made, crew: Made, tmp_path: Path, mlpack: Run) -> None:
    for made, place in ((flowers, "deep/er/flowers"), (crew, "crew")):
        shutil.copytree(made.folder, tmp_path / place)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/manifest.json").write_text("{}")
    shutil.copytree(flowers.folder, tmp_path / ".hidden/flowers")
    code, told, _ = mlpack("list", tmp_path)
    assert code == 0 and told["folder"] == str(tmp_path)
    found = {Path(each["bundle"]).relative_to(tmp_path).as_posix(): each for each in told["bundles"]}
    assert list(found) == ["broken", "crew", "deep/er/flowers"] and "manifest.json" in found["broken"]["problem"]
    whole = found["deep/er/flowers"]
    assert (whole["name"], whole["verdict"], whole["identity"]) == ("flowers", "equal", flowers.bundle.identity)
    assert whole["framework"] == "sklearn" and whole["rows"] > 100


def test_a_folder_without_bundles_and_one_that_is_not_there(tmp_path: Path) -> None:
    assert list_bundles(tmp_path)["bundles"] == []
    with pytest.raises(UsageError, match="there is no folder"):
        list_bundles(tmp_path / "none")


def test_a_report_is_shown_where_it_is_as_it_was_built(
    flowers: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda uri: not opened.append(uri))
    told = report_of(flowers.folder, True)
    assert opened == [Path(told["report"]).as_uri()] and Path(told["report"]).name == "report.html"
    monkeypatch.setattr(webbrowser, "open", lambda uri: False)
    with pytest.raises(MissingToolError, match=r"no browser here .*report\.html in one"):
        report_of(flowers.folder, True)
    copy = Path(shutil.copytree(flowers.folder, tmp_path / "copy"))
    (copy / "evidence/report.html").write_text("<p>all is well")
    with pytest.raises(DamagedError, match=r"report\.html"):
        report_of(copy, False)


ANSWERED: dict[str, Any] = {"why": "", "not_compared": [], "refused": [], "no_longer_refused": [], "outputs": []}


def test_the_verdict() -> None:
    assert verdict(True, []) == SAME and verdict(False, [ANSWERED, ANSWERED]) == ALIKE
    assert verdict(False, [ANSWERED, {**ANSWERED, "outputs": [{"differ": 1}]}]) == DIFFER
    assert verdict(False, [ANSWERED, {**ANSWERED, "refused": [{}]}]) == DIFFER
    assert verdict(False, [{**ANSWERED, "why": "other columns"}, ANSWERED]) == APART


def test_a_gate_ends_with_exit_5(flowers: Made, crew: Made, tmp_path: Path, mlpack: Run) -> None:
    again = make(flowers.fitted, flowers.rows, tmp_path / "again", "flowers", version="1.0.1")
    page = tmp_path / "pages/diff.html"
    code, told, _ = mlpack("diff", flowers.folder, again.folder, "--gate", "answers", "--html", page)
    assert code == 0 and told["verdict"] == ALIKE
    shown = page.read_text()
    assert "flowers 1.0.0 → flowers 1.0.1" in shown and ALIKE in shown and "<script" not in shown
    code, told, said = mlpack("diff", flowers.folder, again.folder, "--gate", "same")
    assert code == 5 and told["error"]["diff"]["verdict"] == ALIKE and "(gate: same)" in said
    code, told, said = mlpack("diff", flowers.folder, crew.folder, "--gate", "answers")
    assert code == 5 and told["error"]["diff"]["verdict"] == APART
    assert mlpack("diff", flowers.folder, crew.folder)[0] == 0
