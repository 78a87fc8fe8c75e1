"""Golden cases: a request and its response as Open Inference Protocol v2 JSON (see docs/golden-cases.md)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from converters.spec import Scalar, Signature, Table

_DATATYPES = {"f8": "FP64", "f4": "FP32", "f2": "FP16", "i8": "INT64", "i4": "INT32", "i2": "INT16", "i1": "INT8"}
_DATATYPES |= {"u8": "UINT64", "u4": "UINT32", "u2": "UINT16", "u1": "UINT8", "b1": "BOOL"}
_TYPES = {name: code for code, name in _DATATYPES.items()}
_WORDS = {math.inf: "Infinity", -math.inf: "-Infinity"}


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
        "inputs": [_tensor(name, values, matrix=True) for name, values in case.rows.items()],
    }
    response: dict[str, Any] = {"id": case.identifier}
    if case.error:
        response["error"] = case.error
    else:
        response |= {"model_name": name, "model_version": version, "outputs": list(_outputs(case))}
    return {f"{case.identifier}.request.json": _bytes(request), f"{case.identifier}.response.json": _bytes(response)}


def _outputs(case: GoldenCase) -> Iterator[dict[str, Any]]:
    for name, values in case.answers.items():
        tensor = _tensor(name, values, matrix=False)
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
        {t["name"]: _array(t) for t in answered.get("outputs", ())},
        str(answered.get("error", "")),
        tolerances,
    )


def table_of_request(request: Mapping[str, Any]) -> Table:
    """The columns of a request: `[n]` for a tensor of one column, else the tensor's own shape."""
    arrays = {str(t["name"]): _array(t) for t in request["inputs"]}
    return {n: a.reshape(-1) if a.ndim == 2 and a.shape[1] == 1 and n != "X" else a for n, a in arrays.items()}


def bare(signature: Signature, table: Table) -> Table:
    """The table without columns that the signature does not take."""
    return {t.name: table[t.name] for t in signature.inputs}


def _tensor(name: str, values: np.ndarray[Any, Any], matrix: bool) -> dict[str, Any]:
    shape = [len(values), 1] if matrix and values.ndim == 1 else list(values.shape)
    text = values.dtype.kind in "OU"
    return {
        "name": name,
        "shape": shape,
        "datatype": "BYTES" if text else _DATATYPES[values.dtype.str[1:]],
        "data": [_plain(v) for v in values.ravel().tolist()],
    }


def _plain(value: Scalar | None) -> Scalar | None:
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return _WORDS.get(value, "NaN")


def _array(tensor: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    data, shape, datatype = tensor["data"], tensor["shape"], tensor["datatype"]
    if datatype == "BYTES":
        cells = np.empty(len(data), object)
        cells[:] = data
        return cells.reshape(shape)
    if datatype.startswith("FP"):
        data = [math.nan if v is None else float(v) for v in data]
    return np.array(data, np.dtype(_TYPES[datatype])).reshape(shape)


def _bytes(plain: Any) -> bytes:
    return (
        json.dumps(plain, ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":")).encode() + b"\n"
    )
