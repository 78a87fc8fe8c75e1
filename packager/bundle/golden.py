"""Golden cases: a request and its response as Open Inference Protocol v2 JSON (see docs/golden-cases.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlpack_toolkit.converters.spec import Dim, Signature, Table, TensorSpec
from mlpack_toolkit.runtimes.engine.schema import listing, number, parse, record, shown, text
from mlpack_toolkit.runtimes.engine.tensors import array_of, tensor_of

MOST_BYTES = 256 << 20
MOST_ROWS = 10_000_000
_tensor = record({"name": text()}, {"parameters": record({"rtol": number(0), "atol": number(0)})})
_request = record(
    {"id": text(), "inputs": listing(record({"name": text()}))}, {"parameters": record({}, {"probe": text()})}
)
_response = record({}, {"outputs": listing(_tensor), "error": text()})


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


def decode_case(request: bytes, response: bytes, signature: Signature) -> GoldenCase:
    """The case that `encode_case` wrote; ValueError where it is none."""
    asked, answered = parse(request, MOST_BYTES), parse(response, MOST_BYTES)
    _request(asked, "request")
    _response(answered, "response")
    tolerances = {
        t["name"]: Tolerance(t["parameters"]["rtol"], t["parameters"]["atol"])
        for t in answered.get("outputs", ())
        if "parameters" in t
    }
    return GoldenCase(
        str(asked["id"]),
        str(asked.get("parameters", {}).get("probe", "")),
        _rows(asked, signature),
        {t["name"]: array_of(t) for t in answered.get("outputs", ())},
        str(answered.get("error", "")),
        tolerances,
    )


def check_case(case: GoldenCase, identifier: str, signature: Signature) -> None:
    """ValueError where a case is none of this signature, or is called otherwise than its file."""
    if case.identifier != identifier:
        raise ValueError(f"its id is {shown(case.identifier)}, and its file says {identifier}")
    _check_tensors(case.rows, signature.inputs, "input")
    if not case.error:
        _check_tensors(case.answers, signature.outputs, "output")
        if extra := sorted(case.answers.keys() - {t.name for t in signature.outputs}):
            raise ValueError(f"it has an output {shown(extra[0])}, which the signature lacks")
    if any(case.answers[name].dtype.kind != "f" for name in case.tolerances or ()):
        raise ValueError("it has a tolerance for what is no output of floats")


def _check_tensors(table: Table, specs: Sequence[TensorSpec], what: str) -> None:
    """ValueError unless each tensor is there, of its kind, in its shape, and all have as many rows."""
    for spec in specs:
        if spec.name not in table:
            raise ValueError(f"it lacks the {what} {shown(spec.name)}")
        values = table[spec.name]
        if (values.dtype.kind == "O") != spec.is_text:
            raise ValueError(f"its {what} {shown(spec.name)} is {values.dtype}, and the signature says {spec.dtype}")
        if not values.ndim or len(values) > MOST_ROWS or not _fits(values.shape[1:], spec.shape[1:]):
            raise ValueError(f"its {what} {shown(spec.name)} has the shape {values.shape}, which the signature forbids")
    if len({len(values) for values in table.values()}) > 1:
        raise ValueError(f"its {what}s have different numbers of rows")


def _fits(found: Sequence[int], wanted: Sequence[Dim]) -> bool:
    """Whether a row has the shape; a single column may be written without its dimension."""
    pairs = list(zip(found or (1,), wanted or (1,), strict=False))
    return len(found or (1,)) == len(wanted or (1,)) and all(isinstance(w, str) or f == w for f, w in pairs)


def table_of_request(request: Mapping[str, Any]) -> Table:
    """The tensors of a request in their own shapes."""
    if not all(isinstance(t["name"], str) for t in request["inputs"]):
        raise ValueError("the name of an input must be text")
    return {t["name"]: array_of(t) for t in request["inputs"]}


def _rows(request: Mapping[str, Any], signature: Signature) -> Table:
    """The inputs of a request as they are in a table: `[n]` for a column."""
    specs = {t.name: t for t in signature.inputs}
    return {n: specs[n].as_read(a) if n in specs else a for n, a in table_of_request(request).items()}


def bare(signature: Signature, table: Table) -> Table:
    """The table without columns that the signature does not take."""
    return {t.name: table[t.name] for t in signature.inputs}


def _bytes(plain: Any) -> bytes:
    return (
        json.dumps(plain, ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":")).encode() + b"\n"
    )
