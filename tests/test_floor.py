"""The oldest ONNX Runtime is said in one place; what cannot read it there says the same."""

from __future__ import annotations

from pathlib import Path

import onnx
import tomllib
from packaging.requirements import Requirement

from mlpack_toolkit.converters._graph.proto import NEWEST, NEWEST_IR
from mlpack_toolkit.converters.spec import ONNX_RUNTIME_FLOOR
from mlpack_toolkit.runtimes.cpp import HEADERS

ROOT = Path(__file__).parent.parent
FLOOR = ".".join(map(str, ONNX_RUNTIME_FLOOR))


def test_all_floors_are_the_same() -> None:
    wanted = map(Requirement, tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
    assert str(next(w for w in wanted if w.name == "onnxruntime").specifier) == f">={FLOOR}"
    pom = (ROOT / "templates" / "java" / "common" / "pom.xml.j2").read_text()
    assert f"<onnxruntime.version>{FLOOR}.0<" in pom
    assert f"ONNX Runtime >= {FLOOR}" in (ROOT / "templates/cpp/common/cmake/OnnxRuntime.cmake").read_text()
    assert f"library, {FLOOR} or later" in (ROOT / "docs" / "cpp.md").read_text()
    assert f"headers, {HEADERS[1]} or later" in (ROOT / "docs" / "cpp.md").read_text()


def test_the_newest_operators_are_those_of_the_floor() -> None:
    """ONNX Runtime 1.28 is built with ONNX 1.21: its operators are the newest that every installed one loads."""
    release = next(row for row in onnx.helper.VERSION_TABLE if row[0] == "1.21.0")
    assert (NEWEST_IR, NEWEST[""], NEWEST["ai.onnx.ml"]) == release[1:4]
