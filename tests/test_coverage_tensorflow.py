"""The page docs/coverage-tensorflow.md is read as it is written, and no line says that the graph is wrong."""

from __future__ import annotations

from benchmarks.coverage_tensorflow import CASE, PAGE, SYSTEM, page, rows_of

TEXT = PAGE.read_text("utf-8")


def test_a_line_is_right_or_refused_with_a_reason() -> None:
    lines = rows_of(TEXT, SYSTEM)
    assert lines
    verdicts = [line["mlpack"].partition(": ") for line in lines]
    assert {verdict for verdict, _, _ in verdicts} <= {"right", "refused", "stopped, the numbers differ", "not made"}
    assert all(reason for verdict, _, reason in verdicts if verdict != "right")


def test_a_small_model_is_right_or_refused() -> None:
    lines = rows_of(TEXT, CASE)
    assert len(lines) >= 35 and {line["mlpack"] for line in lines} == {"right", "refused"}
    assert all(line["why"] for line in lines if line["mlpack"] == "refused")


def test_the_page_counts_what_its_lines_say() -> None:
    systems = [{"model": "A", "mlpack": "right"}]
    modules = [{"small module": "`m`", "mlpack": "right", "why": "", "tf2onnx": "wrong: 1 for 2"}]
    text = page(systems, modules)
    assert (rows_of(text, SYSTEM), rows_of(text, CASE)) == (systems, modules)
    assert "1 models of a few lines: 1 right, 0 refused" in text and "0 right, 1 wrong without an error" in text
