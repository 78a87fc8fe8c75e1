"""Template values of a C++ project's HTTP server: the model's inputs and outputs in the protocol's terms."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from mlpack_toolkit.converters.spec import INTEGERS, REALS, TensorSpec

from ..spec import Package
from . import names as names
from .rules import element, size_text

DATATYPES = {"float16": "FP16", "bfloat16": "BF16", "float32": "FP32", "float64": "FP64", "bool": "BOOL"}
DATATYPES |= {"string": "BYTES"}

_PAIR = "std::pair<std::string, std::string>"


def server_values(package: Package) -> dict[str, Any]:
    """The values for the server's templates."""
    signature = package.signature
    return {
        "about_lines": list(_about(package)),
        "input_widths": ", ".join(str(_width(spec)) for spec in signature.inputs),
        "server_widths": [_width(spec) for spec in signature.outputs],
        "input_elements": [element(spec.dtype, names.package_name(package.name)) for spec in signature.inputs],
    }


def _width(spec: TensorSpec) -> int:
    """Cells per row; 0 where it is only known with the rows."""
    size = spec.shape[1] if len(spec.shape) > 1 else 1
    return size if isinstance(size, int) else 0


def _about(package: Package) -> Iterator[str]:
    """The members of `About`, one a line."""
    main, *beside = package.model.files
    for text in (package.name, package.version, main.sha256, _metadata(package)):
        yield f"{names.text_literal(text)},"
    for tensors in (package.signature.inputs, package.signature.outputs):
        yield "{"
        yield from (f"    {_tensor(spec)}," for spec in tensors)
        yield "},"
    if beside:
        files = (f"{_PAIR}{{{names.text_literal(file.path)}, {names.text_literal(file.sha256)}}}" for file in beside)
        yield f"{{{', '.join(files)}}},"


def _tensor(spec: TensorSpec) -> str:
    """The `Tensor` of an input or an output."""
    shape, columns = _texts([size_text(d) for d in spec.shape]), _texts(spec.columns)
    rest = f"{str(spec.nullable).lower()}, {names.text_literal(spec.missing or '')}"
    return f'{{{names.text_literal(spec.name)}, Kind::{_kind(spec)}, "{datatype(spec)}", {shape}, {columns}, {rest}}}'


def _texts(texts: Sequence[str]) -> str:
    """A list of `std::string`, with the type, as two bare literals would be read as the ends of one text."""
    return f"std::vector<std::string>{{{', '.join(map(names.text_literal, texts))}}}"


def _kind(spec: TensorSpec) -> str:
    if spec.is_text:
        return "text"
    if spec.dtype == "bool":
        return "boolean"
    if spec.is_truth:
        return "truth"
    return "real" if spec.dtype in REALS else "integer"


def datatype(spec: TensorSpec) -> str:
    """The name of the element type in the Open Inference Protocol."""
    return spec.dtype.upper() if spec.dtype in INTEGERS else DATATYPES[spec.dtype]


def _metadata(package: Package) -> str:
    """The model's metadata in the protocol's form; -1 for a dimension of any size."""
    signature = package.signature
    plain = {
        "name": package.name,
        "versions": [package.version],
        "platform": "onnxruntime_onnx",
        "inputs": [_described(spec) for spec in signature.inputs],
        "outputs": [_described(spec) for spec in signature.outputs],
    }
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def _described(spec: TensorSpec) -> dict[str, Any]:
    shape = [d if isinstance(d, int) else -1 for d in spec.shape]
    return {"name": spec.name, "datatype": datatype(spec), "shape": shape}
