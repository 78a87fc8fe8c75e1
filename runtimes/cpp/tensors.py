"""Template values of `templates/cpp/tensors`: a graph of any rank, with its tensors by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlpack_toolkit.converters.image import BGR, images_of, layout_of
from mlpack_toolkit.converters.spec import Range, Signature, TensorSpec

from . import names as names
from .rules import RuleTable, column_rules, element, size_text, type_name


def tensor_values(signature: Signature) -> dict[str, Any]:
    """The values for the templates of a tensor graph. Raises `Unsupported` for an unknown element type."""
    table = RuleTable()
    inputs = []
    for spec in signature.inputs:
        rules = column_rules(spec) if spec.features else [spec]
        inputs.append({"info": _info(spec), "first": len(table.rules), "count": len(rules)})
        for rule in rules:
            table.add(rule)
    missing = {s.name: s.missing for s in signature.inputs if s.nullable and s.missing}
    pairs = (f"{{{names.literal(name)}, {names.literal(text)}}}" for name, text in missing.items())
    nullable = [s.name for s in signature.inputs if s.nullable]
    return {
        "inputs": inputs,
        "outputs": [{"info": _info(spec)} for spec in signature.outputs],
        "ranges": [_range(each) for each in signature.ranges],
        "rules": table.rules,
        "value_lines": table.value_lines,
        "nullable_names": ", ".join(map(names.literal, nullable)) or '""',
        "missing_texts": ", ".join(pairs),
        "specs": signature.inputs,
        "output_specs": signature.outputs,
        **image_values(signature),
    }


def image_values(signature: Signature) -> dict[str, Any]:
    """The form of the model's images, which all have one: in a batch, channels first, blue first."""
    images = images_of(signature)
    if not images:
        return {"images": False, "image_example": False}
    spec = images[0]
    layout = layout_of(spec.shape)
    first, bgr = layout.endswith("chw"), spec.image == BGR
    return {
        "images": True,
        "image_example": len(signature.inputs) == 1,
        "input": names.literal(spec.name),
        "batch": len(layout) == 4,
        "first": first,
        "bgr": bgr,
        "expected": _arranged("abcdefghijklmnopqr", first, bgr),
    }


def _arranged(pixels: str, first: bool, bgr: bool) -> str:
    """Letters for the bytes of pixels, red first, in the order of the tensor, for the project's own test."""
    triples = [pixels[i : i + 3] for i in range(0, len(pixels), 3)]
    ordered = [triple[::-1] if bgr else triple for triple in triples]
    return "".join("".join(t[c] for t in ordered) for c in range(3)) if first else "".join(ordered)


def _info(spec: TensorSpec) -> str:
    """The `TensorInfo` of a tensor."""
    shape = ", ".join(names.literal(size_text(d)) for d in spec.shape)
    return f"{{{names.literal(spec.name)}, {names.literal(type_name(spec))}, {{{shape}}}}}"


def _range(sizes: Range) -> str:
    """The `Range` of a dimension."""
    return f"{{{names.literal(sizes.name)}, {names.integer(sizes.least)}, {names.integer(sizes.largest)}}}"


def tensor_usage(values: Mapping[str, Any], golden: Mapping[str, bytes]) -> list[str]:
    """The README's lines that run the graph once."""
    package, klass = values["package"], values["klass"]
    lines = [
        *([f"#include <{package}/images.hpp>"] if values["images"] else []),
        f"#include <{package}/{package}.hpp>",
        "",
        f"const {package}::{klass} model({package}::default_model_path());",
    ]
    lines += [f"{package}::Tensors inputs;"]
    lines += [_input_line(spec, package) for spec in values["specs"]]
    lines += [f"const {package}::Tensors answer = model.predict(inputs);"]
    lines += [f"// answer.at({names.literal(s.name)}): shape {_shape(s)}" for s in values["output_specs"]]
    return lines


def _input_line(spec: TensorSpec, package: str) -> str:
    """The line that fills one input; a free dimension is 1."""
    if spec.image:
        return f'inputs[{names.literal(spec.name)}] = {package}::image_tensor({package}::read_ppm("photo.ppm"));'
    sizes = [str(d) if isinstance(d, int) else "1" for d in spec.shape]
    values = f"std::vector<{element(spec.dtype, package)}>({' * '.join(sizes) or '1'})"
    return f"inputs[{names.literal(spec.name)}] = {{{{{', '.join(sizes)}}}, {values}}};  // shape {_shape(spec)}"


def _shape(spec: TensorSpec) -> str:
    text = "[" + ", ".join(str(d) for d in spec.shape) + "]"
    return "".join(c if c.isprintable() and c != "\\" else " " for c in text)
