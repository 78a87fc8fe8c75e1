"""The report: one file of its own, safe against hostile names, with the figures of the proof."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mlpack_toolkit.packager.bundle.plots import errors_plot
from mlpack_toolkit.packager.bundle.report import MEANING
from mlpack_toolkit.packager.original.sandbox import expected, sandbox_words
from tests.packager.conftest import HOSTILE, Made


class Page(HTMLParser):
    """Tags, references to elsewhere, and the text of each cell."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.rows: list[list[str]] = []
        self.in_cell = False
        self.raw = (folder / "evidence" / "report.html").read_text("utf-8")
        self.feed(self.raw)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attributes if name in ("src", "href", "action", "data")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.in_cell = False

    def handle_data(self, data: str) -> None:
        if self.in_cell:
            self.rows[-1][-1] += data


@pytest.fixture(params=["flowers", "crew", "prices"])
def made(request: pytest.FixtureRequest) -> Made:
    found: Made = request.getfixturevalue(request.param)
    return found


def test_one_file_of_its_own(made: Made) -> None:
    page = Page(made.folder)
    assert not page.references
    assert not re.search(r"https?://|url\(|@import|//cdn", page.raw)
    assert not {"script", "link", "img", "iframe", "object", "embed", "form"} & set(page.tags)
    assert page.tags.count("svg") == 2


def test_hostile_names_are_text(crew: Made) -> None:
    page = Page(crew.folder)
    assert "<script" not in page.raw and "<b>" not in page.raw
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.raw
    cells = [cell.strip() for row in page.rows for cell in row]
    assert HOSTILE in cells
    assert '<b>aye</b>, no "way"' in cells


def test_a_hostile_kind_in_a_plot_is_text() -> None:
    assert "<script>" not in errors_plot({"<script>alert(1)</script>": 0.5})


def test_the_figures_are_those_of_the_proof(made: Made) -> None:
    report = made.bundle.json("reports/verification.json")
    rows = {row[0]: row for row in Page(made.folder).rows if len(row) == 7 and row[0] in MEANING}
    assert set(rows) == set(report["probes"])
    for kind, outputs in report["probes"].items():
        _, meaning, count, mismatches, *errors = rows[kind]
        assert meaning == MEANING[kind]
        assert int(count.replace(",", "")) == max(e["rows"] for e in outputs.values())
        assert int(mismatches) == 0
        largest = [max(e[key] for e in outputs.values()) for key in ("max_abs", "max_rel", "max_ulp")]
        assert [float(e) for e in errors] == [pytest.approx(value, rel=0.06) for value in largest]
    assert f"{report['rows']:,} probe rows" in Page(made.folder).raw
    for output, allowed in report["tolerances"].items():
        assert f"{output}: {allowed['atol']} + {allowed['rtol']}" in Page(made.folder).raw


def test_what_held_the_model_is_said(flowers: Made) -> None:
    """In the facts of the machine and in a sentence; never in the manifest, which is the same on every machine."""
    found = flowers.bundle.json("evidence/measurements/machine.json")["sandbox"]
    assert found == expected() and sandbox_words(found) in Page(flowers.folder).raw
    assert "sandbox" not in (flowers.folder / "manifest.json").read_text()


def test_the_latency_is_that_of_the_measurement(made: Made) -> None:
    measured = made.bundle.json("evidence/measurements/latency.json")
    rows = {row[0]: row for row in Page(made.folder).rows if len(row) == 9 and row[0].isdigit()}
    assert {int(batch) for batch in rows} == {b["batch"] for b in measured["graph"]} == {1, 8, 64, 1000}
    for b in measured["graph"]:
        value, unit = rows[str(b["batch"])][1].split()
        assert float(value) * {"µs": 1e-3, "ms": 1.0}[unit] == pytest.approx(b["p50_ms"], rel=0.01)
    assert measured["machine"]["cpu"] in Page(made.folder).raw


@pytest.mark.parametrize(("share", "said"), [(0.0, "equal"), (0.5, "0.5"), (2.0, "2"), (float("inf"), "differs")])
def test_the_bars_say_their_number(share: float, said: str) -> None:
    plot = errors_plot({"example": share})
    assert f">{said}</text>" in plot
    assert ('fill="var(--bad)"' in plot) == (share > 1)


def test_every_probe_kind_of_the_builds_has_its_meaning(flowers: Made, crew: Made, prices: Made) -> None:
    for each in (flowers, crew, prices):
        report = each.bundle.json("reports/verification.json")
        assert set(report["probes"]) | set(report["refused"]) <= set(MEANING)
