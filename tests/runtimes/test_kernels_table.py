"""The operators' own table of ONNX Runtime's C interface, against the header of a release."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mlpack_toolkit.packager.kernels import FOLDER
from mlpack_toolkit.packager.setup_headers import cache_folder

PROGRAM = """
#include <cstddef>
#include <onnxruntime_c_api.h>
#include "ort.h"
{}
static_assert(sizeof(OrtCustomOp) == sizeof(ort::CustomOp));
static_assert(int(ort::FLOAT) == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
static_assert(int(ort::DOUBLE) == ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE);
static_assert(int(ort::INT32) == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32);
static_assert(int(ort::UINT8) == ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8);
static_assert(int(ort::FAIL) == ORT_FAIL && int(ort::INVALID_ARGUMENT) == ORT_INVALID_ARGUMENT);
static_assert(INPUT_OUTPUT_REQUIRED == 0 && OrtMemTypeDefault == 0);
"""


def _camel(name: str) -> str:
    """`GET_TENSOR_ELEMENT_TYPE` as the header has it."""
    joined = "".join(part.capitalize() for part in name.lower().split("_"))
    for word in ("KernelInfo", "KernelContext", "CustomOpDomain"):
        if joined.startswith(word) and joined != word:
            joined = f"{word}_{joined.removeprefix(word)}" if word != "KernelInfo" else joined
    return joined.replace("Int64", "_int64").replace("AttributeTensor", "Attribute_tensor")


def test_every_place_and_field_is_that_of_the_header(tmp_path: Path) -> None:
    include, compiler = cache_folder() / "include", shutil.which("c++")
    if compiler is None or not (include / "onnxruntime_c_api.h").is_file():
        pytest.skip("NOT TESTED: python -m mlpack_toolkit.packager.setup_headers, and a compiler")
    own = (FOLDER / "ort.h").read_text()
    places = re.findall(r"^  ([A-Z_0-9]+) = (\d+),$", own, re.MULTILINE)
    lines = [f'static_assert(offsetof(OrtApi, {_camel(n)}) == {p} * sizeof(void*), "{n}");' for n, p in places]
    fields = re.findall(r"\(\*(\w+)\)\(|^  void\* (infer\w+);", own.split("struct CustomOp {")[1], re.MULTILINE)
    for name in ("".join(pair) for pair in fields):
        real = "InferOutputShapeFn" if name == "infer_output_shape" else _camel(name.upper())
        lines.append(f'static_assert(offsetof(OrtCustomOp, {real}) == offsetof(ort::CustomOp, {name}), "{name}");')
    assert len(places) == 19 and len(lines) == 19 + 21
    (tmp_path / "table.cpp").write_text(PROGRAM.format("\n".join(lines)))
    command = [
        compiler,
        "-std=c++17",
        "-fsyntax-only",
        "-w",
        f"-I{include}",
        f"-I{FOLDER}",
        str(tmp_path / "table.cpp"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert not done.returncode, done.stderr
