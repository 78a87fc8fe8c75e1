"""The page docs/coverage-transformers.md is read as it is written, and no line says that the graph is wrong."""

from __future__ import annotations

from benchmarks.coverage_torch import rows_of
from benchmarks.coverage_transformers import CASES, FIRST, PAGE, line, page

LINES = rows_of(PAGE.read_text("utf-8"), FIRST)
SOURCE = (CASES / "folders.py").read_text("utf-8")
TITLE = "A (text-generation, Transformers, 3 parameters)"
RIGHT = {"key": "a", "title": TITLE, "error": 1e-7, "share": 0.1, "scale": 2.0}


def test_a_line_is_one_of_the_architectures_and_right_or_refused_with_a_reason() -> None:
    assert len(LINES) >= 25 and all(f'"{each["architecture"]}"' in SOURCE for each in LINES)
    verdicts = [each["mlpack"].partition(": ") for each in LINES]
    assert {verdict for verdict, _, _ in verdicts} <= {"right", "refused"}
    assert all(reason for verdict, _, reason in verdicts if verdict == "refused")
    assert page(LINES) == PAGE.read_text("utf-8"), "written by the program, by nobody else"


def test_the_line_says_how_many_steps_were_decided() -> None:
    sequences = [{"ids": [1, 2, 3]}, {"ids": [4, 5, 6]}]
    report = {"first_undecided": [{"sequence": 1, "step": 1}], "steps": 6}
    found = line({**RIGHT, "seconds": 2.0, "generation": {"sequences": sequences, "report": report}})
    assert (found["ids equal"], found["class"], found["task"]) == ("4 of 6", "A", "text-generation")
    assert line({**RIGHT, "share": 1.1, "seconds": 2.0})["mlpack"] == "WRONG"
    assert line({"key": "b", "refused": "no\nmemory | at all"})["mlpack"] == "refused: no memory / at all"
