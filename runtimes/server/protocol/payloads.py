"""Reads the request bodies of SageMaker, MLflow, Vertex AI, KServe v1, and plain rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from ...engine.answers import bare_rows, rows_of
from ...engine.errors import Refusal
from ..model import Model
from . import images
from .csv_rows import cells_of_csv
from .infer import LENGTH_HEADER, Reply, answer, infer, parse
from .rows import Cells, ask_cells, cells_of_rows, within

Headers = Mapping[bytes, bytes]
MLFLOW = ("dataframe_split", "dataframe_records", "instances", "inputs")


def predict(model: Model, headers: Headers, body: bytes, most: int) -> Reply:
    """Rows by column name, answered with a list of objects; one image, where the body is one."""
    if images.is_image(headers):
        return images.predict(model, headers, body)
    plain = parse(body)
    cells = cells_of_rows(model, [plain] if type(plain) is dict else plain, most)
    rows = rows_of(model.signature, ask_cells(model, cells, most))
    return Reply(orjson.dumps(rows), rows=len(rows))


def v2(model: Model, headers: Headers, body: bytes, most: int) -> Reply:
    """The Open Inference Protocol; one image, where the body is one."""
    if images.is_image(headers):
        return images.v2(model, headers, body)
    return infer(model, body, headers.get(LENGTH_HEADER), most)


def instances(model: Model, headers: Headers, body: bytes, most: int) -> Reply:
    """`instances` (or `inputs`) answered with `predictions`: Vertex AI, KServe v1."""
    plain = parse(body)
    if type(plain) is not dict or ("instances" in plain) == ("inputs" in plain):
        raise Refusal("the request must be a JSON object with 'instances', a list of rows")
    unknown = sorted(plain.keys() - {"instances", "inputs", "parameters", "signature_name"})
    if unknown:
        raise Refusal(f"the request has the unknown key {unknown[0][:80]!r}")
    _no_parameters(plain, "parameters")
    rows = plain["instances"] if "instances" in plain else plain["inputs"]
    return _predictions(model, cells_of_rows(model, rows, most), most)


def invocations(model: Model, headers: Headers, body: bytes, most: int) -> Reply:
    """SageMaker's and MLflow's route: csv, one of MLflow's four forms, a request of the v2 protocol, or plain rows."""
    if images.is_image(headers):
        return images.predictions(model, headers, body)
    kind = headers.get(b"content-type", b"application/json").decode("latin-1").lower()
    if kind.startswith("text/csv"):
        headed = "header=absent" not in kind.replace(" ", "")
        return _predictions(model, cells_of_csv(model, body, headed, most), most)
    if LENGTH_HEADER in headers:
        return v2(model, headers, body, most)
    plain = parse(body)
    if type(plain) is not dict:
        return _predictions(model, cells_of_rows(model, plain, most), most)
    forms = [form for form in MLFLOW if form in plain]
    if not forms:
        return _predictions(model, cells_of_rows(model, [plain], most), most)
    if len(forms) > 1:
        raise Refusal(f"the request has both {forms[0]!r} and {forms[1]!r}: send one")
    if forms == ["inputs"] and _is_v2(plain["inputs"]):
        return answer(model, plain, most_rows=most)
    unknown = sorted(plain.keys() - {forms[0], "params", "parameters", "signature_name"})
    if unknown:
        raise Refusal(f"the request has the unknown key {unknown[0][:80]!r} beside {forms[0]!r}")
    _no_parameters(plain, "params")
    _no_parameters(plain, "parameters")
    return _predictions(model, _FORMS[forms[0]](model, plain[forms[0]], most), most)


def _is_v2(inputs: Any) -> bool:
    return type(inputs) is list and bool(inputs) and type(inputs[0]) is dict and "datatype" in inputs[0]


def _no_parameters(plain: dict[str, Any], key: str) -> None:
    if plain.get(key):
        raise Refusal(f"the model takes no {key!r}")


def _split(model: Model, plain: Any, most: int) -> Cells:
    if type(plain) is not dict or type(plain.get("data")) is not list:
        raise Refusal("'dataframe_split' must be an object with 'columns' and 'data'")
    data, names = plain["data"], plain.get("columns")
    within(len(data), most)
    if names is None or (type(names) is list and _nameless(model, len(names))):
        return cells_of_rows(model, data)
    if type(names) is not list or not all(type(n) is str for n in names) or len(set(names)) != len(names):
        return _numbered(model, names, data)
    for i, row in enumerate(data):
        if type(row) is not list or len(row) != len(names):
            raise Refusal(f"row {i}: it must be a list of {len(names)} cells, one for each of 'columns'")
    if not data:
        return {name: [] for name in model.columns.columns}
    return cells_of_rows(model, [dict(zip(names, row, strict=True)) for row in data])


def _nameless(model: Model, width: int) -> bool:
    """Whether the model takes a matrix of so many unnamed columns, where only the frame's order counts."""
    spec = model.inputs[0]
    return len(model.inputs) == 1 and len(spec.shape) == 2 and spec.shape[1] == width and width > 1 and not spec.columns


def _numbered(model: Model, names: Any, data: list[Any]) -> Cells:
    """The columns of a data frame without names, which numbers them from 0."""
    if type(names) is list and names == list(range(len(names))) and not any(type(n) is bool for n in names):
        return cells_of_rows(model, data)
    raise Refusal("'columns' must be a list of unique names")


def _inputs(model: Model, plain: Any, most: int) -> Cells:
    """Columns by name, or rows."""
    if type(plain) is not dict:
        return cells_of_rows(model, plain, most)
    for cells in plain.values():
        within(len(cells) if type(cells) is list else 0, most)
    return plain


def _records(model: Model, plain: Any, most: int) -> Cells:
    return cells_of_rows(model, plain, most)


_FORMS = {"dataframe_split": _split, "dataframe_records": _records, "instances": _records, "inputs": _inputs}


def _predictions(model: Model, cells: Cells, most: int) -> Reply:
    rows = bare_rows(model.signature, ask_cells(model, cells, most))
    return Reply(orjson.dumps({"predictions": rows}), rows=len(rows))
