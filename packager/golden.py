"""Golden cases: a request and its response as Open Inference Protocol v2 JSON (see docs/golden-cases.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from converters.spec import Signature, Table
from runtimes.server.tensors import array_of, tensor_of


@dataclass(frozen=True)
class Tolerance:
    """Floats are equal when `|got - want| <= atol + rtol * |want|`."""

    rtol: float
    atol: float


@dataclass(frozen=True)
class GoldenCase:
    """Rows, and what the original said: answers, or the words with which it refused them."""

    identifier: str
    probe: str
    rows: Table
    answers: Table
    error: str = ""
    tolerances: Mapping[str, Tolerance] | None = None


def encode_case(case: GoldenCase, name: str, version: str) -> dict[str, bytes]:
    """The two files of a case, by file name."""
    request = {
        "id": case.identifier,
        "parameters": {"probe": case.probe},
        "inputs": [tensor_of(name, values, matrix=True) for name, values in case.rows.items()],
    }
    response: dict[str, Any] = {"id": case.identifier}
    if case.error:
        response["error"] = case.error
    else:
        response |= {"model_name": name, "model_version": version, "outputs": list(_outputs(case))}
    return {f"{case.identifier}.request.json": _bytes(request), f"{case.identifier}.response.json": _bytes(response)}


def _outputs(case: GoldenCase) -> Iterator[dict[str, Any]]:
    for name, values in case.answers.items():
        tensor = tensor_of(name, values, matrix=False)
        tolerance = (case.tolerances or {}).get(name)
        if tolerance is not None and values.dtype.kind == "f":
            tensor["parameters"] = {"atol": tolerance.atol, "rtol": tolerance.rtol}
        yield tensor


def decode_case(request: bytes, response: bytes) -> GoldenCase:
    """The case that `encode_case` wrote; ValueError where it is none."""
    asked, answered = json.loads(request), json.loads(response)
    tolerances = {
        t["name"]: Tolerance(t["parameters"]["rtol"], t["parameters"]["atol"])
        for t in answered.get("outputs", ())
        if "parameters" in t
    }
    return GoldenCase(
        str(asked["id"]),
        str(asked.get("parameters", {}).get("probe", "")),
        table_of_request(asked),
        {t["name"]: array_of(t) for t in answered.get("outputs", ())},
        str(answered.get("error", "")),
        tolerances,
    )


def table_of_request(request: Mapping[str, Any]) -> Table:
    """The columns of a request: `[n]` for a tensor of one column, else the tensor's own shape."""
    if not all(isinstance(t["name"], str) for t in request["inputs"]):
        raise ValueError("the name of an input must be text")
    arrays = {t["name"]: array_of(t) for t in request["inputs"]}
    return {n: a.reshape(-1) if a.ndim == 2 and a.shape[1] == 1 and n != "X" else a for n, a in arrays.items()}


def bare(signature: Signature, table: Table) -> Table:
    """The table without columns that the signature does not take."""
    return {t.name: table[t.name] for t in signature.inputs}


def _bytes(plain: Any) -> bytes:
    return (
        json.dumps(plain, ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":")).encode() + b"\n"
    )
