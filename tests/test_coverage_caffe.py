"""The page docs/coverage-caffe.md is as its program writes it, holds every type of layer, and no line is wrong."""

from __future__ import annotations

from benchmarks.coverage_caffe import ARCHITECTURES, PAGE, page
from mlpack_toolkit.converters.caffe.layers import translations
from tests.converters.caffe import architectures
from tests.converters.caffe.cases import CASES, REFUSED

TEXT = PAGE.read_text("utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in TEXT.splitlines() if line.startswith("| ")]


def test_every_architecture_and_every_type_is_right_or_refused_with_a_reason() -> None:
    named = {row[0]: row for row in ROWS}
    assert tuple(architectures.ARCHITECTURES) == ARCHITECTURES and "width 1\n" in TEXT
    assert all(named[name][1] == "right" for name in ARCHITECTURES)
    assert {named[name][1] for name in CASES} >= translations().keys()
    assert all(named[name][2] == "right" for name in CASES)
    assert all(len(named[name]) == 2 and len(named[name][1]) > 20 for name in REFUSED)


def test_a_page_is_written_from_what_was_measured() -> None:
    net = {"name": "N", "blobs": 3, "parameters": 2e6, "error": 2e-7, "at": "conv.0", "peer": "WRONG by 1.0e+00"}
    small = [
        {"name": "a", "kind": "A", "error": 0.5, "why": "", "peer": "right"},
        {"name": "b", "kind": "B", "error": None, "why": "because | so"},
    ]
    text = page(0.5, [net], small)
    assert "| N | right | 3 | 2.0 M | 2.0e-07 | conv | WRONG by 1.0e+00 |" in text and "width 0.5" in text
    assert "| a | A | WRONG | 5.0e-01 | right |" in text and "| b | because / so |" in text
    assert "1 small nets right (caffe-onnx: 1), 1 refused" in text
