"""The table of docs/coverage-r.md is that of the fits, and tells of every class that there is a converter for."""

from __future__ import annotations

import re

from benchmarks.coverage import EQUAL, REFUSED
from benchmarks.coverage_r import PAGE, SCRIPT, known_classes

GOAL = 30
TEXT = PAGE.read_text("utf-8")
LINES = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TEXT.splitlines() if line.startswith("| ")][2:]


def test_the_page_has_a_line_per_fit() -> None:
    fits = re.findall(r'(?m)^put\("([^"]+)", "([^"]+)"', SCRIPT.read_text("utf-8"))
    assert [(line[0], line[1]) for line in LINES] == fits


def test_no_number_is_wrong_and_a_refusal_has_its_reason() -> None:
    verdicts = {line[2].strip("*") for line in LINES}
    assert verdicts <= {EQUAL, REFUSED}
    assert all(len(line[6]) > 20 for line in LINES if line[2].strip("*") == REFUSED)


def test_enough_classes_are_equal() -> None:
    assert len({line[0] for line in LINES if line[2] == EQUAL}) >= GOAL


def test_every_class_that_is_known_is_told_of() -> None:
    assert len(known_classes()) > GOAL
    assert {name for name in known_classes() if f"`{name}`" not in TEXT} == set()
