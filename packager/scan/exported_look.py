"""What an exported program says of itself, for `mlpack inspect`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

_TYPES = {
    **{1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64"},
    **{9: "complex32", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16", 28: "uint16", 34: "uint32"},
}


def told(program: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs, outputs, ranges of sizes and operators of a program that was checked."""
    module = program["graph_module"]
    graph, signature = module["graph"], module["signature"]
    tensors = graph["tensor_values"]
    takes = [spec["user_input"]["arg"] for spec in signature["input_specs"] if "user_input" in spec]
    gives = [spec["user_output"]["arg"] for spec in signature["output_specs"] if "user_output" in spec]
    operators = Counter(node["target"].removeprefix("torch.ops.") for node in graph["nodes"])
    return {
        "made by": f"torch {program.get('torch_version', '')}".strip(),
        "inputs": [_line(each, tensors) for each in takes],
        "outputs": [_line(each, tensors) for each in gives],
        "ranges": [_range(name, each) for name, each in sorted(program["range_constraints"].items())],
        "nodes": len(graph["nodes"]),
        "operators": [f"{name}: {count}" for name, count in sorted(operators.items())],
    }


def _line(arg: Mapping[str, Any], tensors: Mapping[str, Any]) -> str:
    kind, value = next(iter(arg.items()))
    name = str(value.get("name")) if isinstance(value, dict) else ""
    if name not in tensors:
        return f"{kind.removeprefix('as_')}: {value}"
    meta = tensors[name]
    return f"{name}: {_TYPES.get(meta['dtype'], 'unknown')} [{', '.join(map(_size, meta['sizes']))}]"


def _size(size: Mapping[str, Any]) -> str:
    text = str(size["as_int"]) if "as_int" in size else str(size["as_expr"]["expr_str"])
    return re.sub(r"(Symbol|Integer)\('?(\w+)'?[^()]*\)", r"\2", text)


def _range(name: str, limits: Mapping[str, Any]) -> str:
    least, most = limits.get("min_val"), limits.get("max_val")
    return f"{name}: {'any' if least is None else least} to {'any' if most is None else most}"
