"""The Open Inference Protocol v2: an inference request to its response, in JSON and with binary tensors."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import orjson

from mlpack_toolkit.converters.spec import Table

from ...engine.binary import arrays_of, binary_tensor, object_of
from ...engine.errors import Refusal
from ...engine.tensors import tensor_of
from ..model import Model

LENGTH_HEADER = b"inference-header-content-length"
JSON = b"application/json"
BINARY = b"application/octet-stream"


class Reply(NamedTuple):
    """A response: its body, HTTP status, kind, and further headers; `rows`: how many were answered."""

    body: bytes
    status: int = 200
    kind: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    rows: int = 0


class Wanted(NamedTuple):
    """The requested outputs (none: all), and which of them as bytes."""

    names: Sequence[str] = ()
    binary: Collection[str] = ()
    all_binary: bool = False


ALL = Wanted()


def infer(model: Model, body: bytes | bytearray, header: bytes | None, most_rows: int = 0) -> Reply:
    """The response to a request's body; `header`: the length of its JSON part, where raw tensors follow."""
    request, raw = _split(body, header)
    return answer(model, request, raw, most_rows)


def answer(model: Model, request: Any, raw: memoryview | None = None, most_rows: int = 0) -> Reply:
    """The response to a parsed request; raises `Refusal`."""
    if type(request) is not dict:
        raise Refusal("the request must be a JSON object with 'inputs'")
    identifier = request.get("id")
    if identifier is not None and type(identifier) is not str:
        raise Refusal("'id' must be a string")
    answers, wanted = _asked(model, request, raw, most_rows)
    if wanted.names:
        answers = {name: answers[name] for name in wanted.names}
    return reply_of(model, answers, wanted, identifier)


def reply_of(model: Model, answers: Table, wanted: Wanted, identifier: str | None = None) -> Reply:
    """The response with these outputs."""
    head = {"model_name": model.name, "model_version": model.version}
    if identifier is not None:
        head["id"] = identifier
    rows = model.rows_of(answers)
    if wanted.binary or wanted.all_binary:
        return _binary(model, head, answers, wanted, rows)
    outputs = [tensor_of(name, values, model.types[name]) for name, values in answers.items()]
    return Reply(orjson.dumps({**head, "outputs": outputs}), rows=rows)


def _asked(model: Model, request: dict[str, Any], raw: memoryview | None, most_rows: int) -> tuple[Table, Wanted]:
    inputs = request.get("inputs")
    feeds = model.quick.of_tensors(inputs, most_rows) if raw is None else None
    if feeds is None:
        table, wanted = arrays_of(inputs, raw), _wanted(request)
        return model.ask(table, wanted.names, most_rows), wanted
    wanted = _wanted(request)
    model.check(wanted.names)
    return model.run(feeds.arrays, wanted.names), wanted


def parse(body: bytes | bytearray | memoryview) -> Any:
    """The JSON of a body; raises `Refusal`."""
    try:
        return orjson.loads(body)
    except ValueError as error:
        raise Refusal(f"the request is not JSON: {error}", reason="not_json") from None


def _split(body: bytes | bytearray, header: bytes | None) -> tuple[Any, memoryview | None]:
    """The parsed JSON part, and the raw part where there is one."""
    if header is None:
        return parse(body), None
    if not header.isdigit() or len(header) > 18 or int(header) > len(body):
        raise Refusal("Inference-Header-Content-Length must be the length of the JSON part, at most that of the body")
    whole = memoryview(body)
    return parse(whole[: int(header)]), whole[int(header) :]


def _wanted(request: dict[str, Any]) -> Wanted:
    if "outputs" not in request and "parameters" not in request:
        return ALL
    everything = _flag(object_of(request, "parameters"), "binary_data_output", False)
    outputs = request.get("outputs")
    if not outputs and (outputs is None or type(outputs) is list):
        return Wanted(all_binary=everything)
    if type(outputs) is not list:
        raise Refusal("'outputs' must be a list")
    names, binary = [], []
    for each in outputs:
        if type(each) is not dict or type(each.get("name")) is not str:
            raise Refusal("each of 'outputs' must be an object with a 'name'")
        parameters = object_of(each, "parameters")
        if parameters.get("classification"):
            raise Refusal(f"output {each['name'][:80]!r}: this server has no classification extension")
        if each["name"] in names:
            raise Refusal(f"the output {each['name'][:80]!r} is requested twice")
        names.append(each["name"])
        if _flag(parameters, "binary_data", everything):
            binary.append(each["name"])
    return Wanted(names, binary)


def _flag(parameters: dict[str, Any], key: str, otherwise: bool) -> bool:
    found = parameters.get(key, otherwise)
    if type(found) is not bool:
        raise Refusal(f"{key!r} must be true or false")
    return found


def _binary(model: Model, head: dict[str, Any], answers: Table, wanted: Wanted, rows: int) -> Reply:
    outputs, parts = [], []
    for name, values in answers.items():
        if wanted.all_binary or name in wanted.binary:
            described, raw = binary_tensor(name, values, model.types[name])
            outputs.append(described)
            parts.append(raw)
        else:
            outputs.append(tensor_of(name, values, model.types[name]))
    first = orjson.dumps({**head, "outputs": outputs})
    length = (LENGTH_HEADER, str(len(first)).encode())
    return Reply(first + b"".join(parts), kind=BINARY, headers=(length,), rows=rows)
