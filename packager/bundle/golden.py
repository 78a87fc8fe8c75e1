"""Golden cases: a request and its response in the Open Inference Protocol v2 (see docs/golden-cases.md).

JSON; where it would be large, the numbers are in a second file in the protocol's binary form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mlpack_toolkit.converters.spec import BATCH, BFLOAT16, Dim, Signature, Table, TensorSpec
from mlpack_toolkit.runtimes.engine.binary import arrays_of, binary_tensor
from mlpack_toolkit.runtimes.engine.schema import listing, number, parse, record, shown, text, whole
from mlpack_toolkit.runtimes.engine.tensors import Array, tensor_of

MOST_BYTES = 256 << 20
MOST_CELLS = 2**28
MOST_TEXT_BYTES = 64 << 10
"""The most bytes of a JSON file; larger numbers are kept as raw bytes. Text stays in JSON, as raw text has no null;
bfloat16 is always raw, the one form that the protocol has for it."""
REQUEST, RESPONSE = "request", "response"
_tolerance = {"rtol": number(0), "atol": number(0)}
_size = {"binary_data_size": whole(0, MOST_BYTES)}


def _parameters(value: Any, where: str) -> None:
    """The parameters of a tensor: its tolerance, the location of its data, or both."""
    raw = type(value) is dict and value.keys() == _size.keys()
    record({} if raw else _tolerance, _size)(value, where)


_tensor = record({"name": text()}, {"parameters": _parameters})
_request = record(
    {"id": text(), "inputs": listing(record({"name": text()}))}, {"parameters": record({}, {"probe": text()})}
)
_response = record({}, {"outputs": listing(_tensor), "error": text()})


@dataclass(frozen=True)
class Tolerance:
    """Floats are equal when `|got - want| <= atol + rtol * |want|`.

    `unit`: the type in whose neighbouring numbers an error is counted; empty: the arrays' own. It is not kept in files.
    """

    rtol: float
    atol: float
    unit: str = field(default="", compare=False)

    def at_least(self, atol: float) -> Tolerance:
        """The tolerance with no smaller absolute part."""
        return replace(self, atol=max(self.atol, atol))


@dataclass(frozen=True)
class GoldenCase:
    """Rows with the original's answers, or with the error with which it rejected them."""

    identifier: str
    probe: str
    rows: Table
    answers: Table
    error: str = ""
    tolerances: Mapping[str, Tolerance] | None = None


@dataclass(frozen=True)
class Half:
    """The request or the response of a case, as stored. `raw`: the numbers beside the JSON; None where all are in the
    JSON."""

    json: bytes
    raw: bytes | None = None

    def body(self) -> tuple[bytes, dict[str, str]]:
        """The body of the HTTP request or response, and its headers."""
        kind = {"Content-Type": "application/json"}
        if self.raw is None:
            return self.json, kind
        length = {"Inference-Header-Content-Length": str(len(self.json))}
        return self.json + self.raw, {"Content-Type": "application/octet-stream", **length}


def encode_case(case: GoldenCase, name: str, version: str, signature: Signature) -> dict[str, bytes]:
    """The files of a case, by file name."""
    request = {"id": case.identifier, "parameters": {"probe": case.probe}}
    asked = {t.name: t.as_written(case.rows[t.name]) for t in signature.inputs if t.name in case.rows}
    types = {t.name: t.dtype for t in signature.inputs}
    files = _files(case.identifier, REQUEST, request, "inputs", asked, types, {})
    if case.error:
        response = {"id": case.identifier, "error": case.error}
        return files | {f"{case.identifier}.{RESPONSE}.json": _bytes(response)}
    response = {"id": case.identifier, "model_name": name, "model_version": version}
    types, allowed = {t.name: t.dtype for t in signature.outputs}, case.tolerances or {}
    return files | _files(case.identifier, RESPONSE, response, "outputs", case.answers, types, allowed)


def _files(
    identifier: str,
    half: str,
    head: dict[str, Any],
    key: str,
    table: Table,
    types: Mapping[str, str],
    allowed: Mapping[str, Tolerance],
) -> dict[str, bytes]:
    """One half of a case: a JSON file, with a file of raw numbers where the JSON would be large."""
    if BFLOAT16 not in (types.get(name) for name in table):
        plain = _bytes({**head, key: [_held(tensor_of(n, v), v, allowed.get(n)) for n, v in table.items()]})
        if len(plain) <= MOST_TEXT_BYTES or all(values.dtype.kind in "OU" for values in table.values()):
            return {f"{identifier}.{half}.json": plain}
    tensors, parts = [], []
    for name, values in table.items():
        raw = values.dtype.kind not in "OU"
        tensor, part = binary_tensor(name, values, types.get(name, "")) if raw else (tensor_of(name, values), b"")
        tensors.append(_held(tensor, values, allowed.get(name)))
        parts.append(part)
    return {f"{identifier}.{half}.json": _bytes({**head, key: tensors}), f"{identifier}.{half}.bin": b"".join(parts)}


def _held(tensor: dict[str, Any], values: Array, tolerance: Tolerance | None) -> dict[str, Any]:
    """The tensor, with its tolerance where it contains floats."""
    if tolerance is None or values.dtype.kind != "f":
        return tensor
    bounds = {"atol": tolerance.atol, "rtol": tolerance.rtol}
    return {**tensor, "parameters": {**tensor.get("parameters", {}), **bounds}}


def decode_case(request: Half, response: Half, signature: Signature) -> GoldenCase:
    """The case that `encode_case` wrote; ValueError for anything else."""
    asked, answered = parse(request.json, MOST_BYTES), parse(response.json, MOST_BYTES)
    _request(asked, "request")
    _response(answered, "response")
    outputs = answered.get("outputs", [])
    said = {t["name"]: t.get("parameters", {}) for t in outputs}
    return GoldenCase(
        str(asked["id"]),
        str(asked.get("parameters", {}).get("probe", "")),
        _rows(asked, signature, request.raw),
        arrays_of(outputs, response.raw) if outputs else {},
        str(answered.get("error", "")),
        {name: Tolerance(held["rtol"], held["atol"]) for name, held in said.items() if "rtol" in held},
    )


def check_case(case: GoldenCase, identifier: str, signature: Signature) -> None:
    """Raises ValueError where a case does not fit this signature, or its id is not its file's name."""
    if case.identifier != identifier:
        raise ValueError(f"its id is {shown(case.identifier)}, and its file says {identifier}")
    _check_tensors(case.rows, signature.inputs, "input")
    if not case.error:
        _check_tensors(case.answers, signature.outputs, "output")
        if extra := sorted(case.answers.keys() - {t.name for t in signature.outputs}):
            raise ValueError(f"it has an output {shown(extra[0])}, which the signature lacks")
    if any(case.answers[name].dtype.kind != "f" for name in case.tolerances or ()):
        raise ValueError("it has a tolerance for something other than an output of floats")


def _check_tensors(table: Table, specs: Sequence[TensorSpec], what: str) -> None:
    """Raises ValueError unless each tensor is there, of its kind and shape; a named dimension has one size."""
    sizes: dict[str, int] = {}
    for spec in specs:
        if spec.name not in table:
            raise ValueError(f"it lacks the {what} {shown(spec.name)}")
        values = table[spec.name]
        if (values.dtype.kind == "O") != spec.is_text:
            raise ValueError(f"its {what} {shown(spec.name)} is {values.dtype}, and the signature says {spec.dtype}")
        if values.size > MOST_CELLS or not _fits(spec.as_written(values).shape, spec.shape, what, sizes):
            raise ValueError(f"its {what} {shown(spec.name)} has the shape {values.shape}, which the signature forbids")


def _fits(found: Sequence[int], wanted: Sequence[Dim], what: str, sizes: dict[str, int]) -> bool:
    """Whether a tensor has the shape; a single column may have its dimension of 1 or not."""
    if len(found) == len(wanted) + 1 and found[-1] == 1:
        found = found[:-1]
    named = [(d, size) for d, size in zip(wanted, found, strict=False) if isinstance(d, str)]
    agree = all(sizes.setdefault(d, size) == size for d, size in named if d == BATCH or what == "input")
    fixed = all(isinstance(d, str) or d == size for d, size in zip(wanted, found, strict=False))
    return len(found) == len(wanted) and fixed and agree


def table_of_request(request: Mapping[str, Any]) -> Table:
    """The tensors of a request in their own shapes."""
    if not all(isinstance(t["name"], str) for t in request["inputs"]):
        raise ValueError("the name of an input must be text")
    return arrays_of(request["inputs"], None)


def _rows(request: Mapping[str, Any], signature: Signature, raw: bytes | None) -> Table:
    """The inputs of a request in the shapes of a table: `[n]` for a column."""
    specs = {t.name: t for t in signature.inputs}
    tensors = arrays_of(request["inputs"], raw)
    return {n: specs[n].as_read(a) if n in specs else a for n, a in tensors.items()}


def bare(signature: Signature, table: Table) -> Table:
    """The table without columns that the signature does not take."""
    return {t.name: table[t.name] for t in signature.inputs}


def _bytes(plain: Any) -> bytes:
    return (
        json.dumps(plain, ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":")).encode() + b"\n"
    )
