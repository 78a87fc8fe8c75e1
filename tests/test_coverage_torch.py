"""The page docs/coverage-torch.md is read as it is written, and no line says that the graph is wrong."""

from __future__ import annotations

import ast

from benchmarks.coverage_torch import CASE, CODE, PAGE, SYSTEM, merged, page, rows_of
from tests.deep.systems import system

LINES = rows_of(PAGE.read_text("utf-8"), SYSTEM)
NAMES = {
    ast.literal_eval(node.args[0])
    for family in system.FAMILIES
    for node in ast.walk(ast.parse((CODE / f"{family}.py").read_text("utf-8")))
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "System"
}


def test_a_line_is_one_of_the_systems_and_right_or_refused_with_a_reason() -> None:
    assert LINES and {line["model"] for line in LINES} <= NAMES
    verdicts = [line["mlpack"].partition(": ") for line in LINES]
    assert {verdict for verdict, _, _ in verdicts} <= {"right", "refused", "stopped, the numbers differ"}
    assert all(reason for verdict, _, reason in verdicts if verdict != "right")


def test_a_line_that_is_measured_again_takes_the_place_of_the_old_one() -> None:
    systems = [{"model": "A", "mlpack": "right"}, {"model": "B", "mlpack": "refused: why and how"}]
    modules = [{"small module": "`m`", "mlpack": "right", "why": "", "plain exporter": "wrong"}]
    text = page(systems, modules)
    assert (rows_of(text, SYSTEM), rows_of(text, CASE)) == (systems, modules)
    again, new = {"model": "A", "mlpack": "refused"}, {"model": "C", "mlpack": "right"}
    assert merged(systems, [again, new]) == [again, systems[1], new]
    assert "1 modules of a few lines: 1 right, 0 refused" in text
