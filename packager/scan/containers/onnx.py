"""ONNX files: numbers and operators, and the names of files beside them that hold more numbers."""

from __future__ import annotations

from mlpack_toolkit.converters._graph.proto import begins_a_model

from ..onnx_files import check_external_data
from ..onnx_look import look
from ..scanner import Scanner, holds_data

SCANNER = Scanner(
    name="onnx",
    title="ONNX files",
    sniff=lambda path, head: begins_a_model(head),
    scan=holds_data("onnx"),
    beside=check_external_data,
    look=look,
    suffixes=(".onnx",),
)
