"""Writes the server's OpenAPI 3.1 document, with the model's own columns and rules."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from mlpack_toolkit.converters.spec import INTEGERS, TensorSpec

from ...engine.answers import columns_of
from ...engine.tensors import DTYPES
from ..model import Model
from ..settings import Settings

Schema = dict[str, Any]
LARGEST = sys.float_info.max


def document(model: Model, settings: Settings, example: Mapping[str, Any]) -> Schema:
    """The document as a JSON object."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": model.name,
            "version": model.version,
            "description": f"A {model.signature.task}, served by mlpack; bundle {model.identity}.",
        },
        "paths": {**_plain_paths(model), **_asking_paths(model, settings)},
        "components": {"schemas": _schemas(model, settings, example)},
    }


def _plain_paths(model: Model) -> Schema:
    one = f"/v2/models/{model.name}"
    version = f"{one}/versions/{model.version}"
    texts = {"/metrics": "text/plain", "/": "text/html", "/ping": "", "/health": ""}
    objects = ["/livez", "/readyz", "/version", "/openapi.json", "/v1/models", f"/v1/models/{model.name}", "/v2"]
    objects += ["/v2/health/live", "/v2/health/ready", one, f"{one}/ready", version, f"{version}/ready"]
    found = {path: _get({kind: {"schema": {"type": "string"}}} if kind else {}) for path, kind in texts.items()}
    return found | {path: _get({"application/json": {"schema": {"type": "object"}}}) for path in objects}


def _get(content: Schema) -> Schema:
    response: Schema = {"description": "OK", **({"content": content} if content else {})}
    return {"get": {"responses": {"200": response}}, "head": {"responses": {"200": {"description": "OK"}}}}


def _asking_paths(model: Model, settings: Settings) -> Schema:
    place, alone = f"/v2/models/{model.name}", len(model.signature.inputs) == 1
    pictures = dict.fromkeys(("image/jpeg", "image/png") if alone and model.signature.inputs[0].image else (), "Image")
    words = "inference in the Open Inference Protocol v2"
    infer = _post(words, {"application/json": "Inference", **pictures}, "Inferred")
    found = {
        "/predict": _post("rows by column name", {"application/json": "Request", **pictures}, "Answers"),
        "/invocations": _post(
            "SageMaker's or MLflow's forms", {"application/json": "Invocation", **pictures}, "Predictions"
        ),
        f"/v1/models/{model.name}:predict": _post("KServe v1", {"application/json": "Instances"}, "Predictions"),
        f"{place}/infer": infer,
        f"{place}/versions/{model.version}/infer": infer,
    }
    if settings.predict_route and settings.predict_route not in found:
        found[settings.predict_route] = _post("Vertex AI", {"application/json": "Instances"}, "Predictions")
    return found


def _post(words: str, bodies: Mapping[str, str], answer: str) -> Schema:
    faults = {
        "400": "invalid input",
        "413": "body too large",
        "415": "a kind of body that this server does not take",
        "503": "try again later",
    }
    return {
        "post": {
            "summary": words,
            "requestBody": {"required": True, "content": {kind: {"schema": _ref(b)} for kind, b in bodies.items()}},
            "responses": {
                "200": {"description": "the answers", "content": {"application/json": {"schema": _ref(answer)}}},
                **{
                    status: {"description": text, "content": {"application/json": {"schema": _ref("Error")}}}
                    for status, text in faults.items()
                },
            },
        }
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas(model: Model, settings: Settings, example: Mapping[str, Any]) -> Schema:
    rows = {"type": "array", "items": _ref("Row"), "maxItems": settings.rows}
    free = any(t.image for t in model.signature.inputs)  # the answer for an image has lists in place of columns
    free = free or any(isinstance(d, str) for t in model.signature.outputs for d in t.shape[1:])
    answer = _object({} if free else _answer_columns(model)) | ({"additionalProperties": True} if free else {})
    alone = len(answer["properties"]) == 1
    prediction = {} if free else next(iter(answer["properties"].values())) if alone else _ref("Answer")
    return {
        "Row": {**_row(model), "examples": [dict(example)]},
        "Request": {"oneOf": [_ref("Row"), rows]},
        "Answer": answer,
        "Answers": {"type": "array", "items": _ref("Answer")},
        "Instances": _object({"instances": rows}),
        "Invocation": {"oneOf": [_object({"dataframe_records": rows}), _object({"instances": rows})]},
        "Predictions": _object({"predictions": {"type": "array", "items": prediction}}),
        "Image": {"description": "the bytes of one image"},
        "Inference": _inference(),
        "Inferred": _inferred(),
        "Error": _object({"error": {"type": "string"}}),
    }


def _object(properties: Mapping[str, Any]) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _row(model: Model) -> Schema:
    asked = {spec.name: _column(spec) for spec in model.inputs}
    unread: Schema = {t.name: {} for t in model.signature.inputs if t.name not in asked}
    row = _object(asked)
    return row | {"properties": {**row["properties"], **unread}}


def _column(spec: TensorSpec) -> Schema:
    """One row of an input: a cell, or lists of cells."""
    dims = [] if spec.shape[1:] == (1,) else list(spec.shape[1:])
    if spec.features:
        cells = [_cell(rule) for rule in spec.features]
        return {"type": "array", "prefixItems": cells, "items": False, "minItems": len(cells)}
    schema = _cell(spec)
    for dim in reversed(dims):
        schema = {"type": "array", "items": schema}
        if isinstance(dim, int):
            schema |= {"minItems": dim, "maxItems": dim}
    return schema


def _cell(spec: TensorSpec) -> Schema:
    if spec.is_truth:
        return {"enum": [False, True, 0, 1, *([None] if spec.nullable else [])]}
    kind = "string" if spec.is_text else "boolean" if spec.dtype == "bool" else "number"
    schema: Schema = {"type": "integer" if spec.dtype in INTEGERS else kind}
    if kind == "number":
        schema |= _bounds(spec)
    if spec.is_text and spec.missing:
        schema["not"] = {"const": spec.missing}
    if spec.values is not None:
        schema["enum"] = [*spec.values, None] if spec.nullable else list(spec.values)
    if spec.nullable:
        schema["type"] = [schema["type"], "null"]
    return schema


def _bounds(spec: TensorSpec) -> Schema:
    low, high = -LARGEST, LARGEST
    if spec.dtype in INTEGERS:
        low, high = np.iinfo(spec.dtype).min, np.iinfo(spec.dtype).max
    if spec.limit is not None:
        low, high = max(low, -spec.limit), min(high, spec.limit)
    if spec.least is not None:
        low = max(low, spec.least)
    if spec.most is not None:
        high = min(high, spec.most)
    return {"minimum": low, "maximum": high}


def _answer_columns(model: Model) -> Schema:
    """The columns of an answer, from the outputs' shapes."""
    shapes = {t.name: [d if isinstance(d, int) else 0 for d in t.shape[1:]] for t in model.signature.outputs}
    kinds = {t.name: object if t.is_text else np.dtype(t.in_numpy) for t in model.signature.outputs}
    empty = {name: np.empty([0, *shape], kinds[name]) for name, shape in shapes.items()}
    return {name: _answer(values.dtype) for name, values in columns_of(model.signature, empty).items()}


def _answer(dtype: np.dtype[Any]) -> Schema:
    if dtype.kind == "O":
        return {"type": "string"}
    if dtype.kind == "b":
        return {"type": "boolean"}
    return {"type": "integer"} if dtype.kind in "iu" else {"type": ["number", "null"]}


def _inference() -> Schema:
    tensor = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "datatype": {"enum": ["BYTES", *DTYPES]},
            "data": {"type": "array"},
            "parameters": {"type": "object"},
        },
        "required": ["name", "shape", "datatype", "data"],
    }
    named = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    return {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "parameters": {"type": "object"},
            "inputs": {"type": "array", "items": tensor, "minItems": 1},
            "outputs": {"type": "array", "items": named},
        },
        "required": ["inputs"],
    }


def _inferred() -> Schema:
    tensor = _object(
        {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer"}},
            "datatype": {"type": "string"},
            "data": {"type": "array"},
        }
    )
    found = _object(
        {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "outputs": {"type": "array", "items": tensor},
        }
    )
    found["properties"]["id"] = {"type": "string"}
    return found
