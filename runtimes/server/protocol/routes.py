"""The server's routes by path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import orjson

from ..model import Model
from ..settings import Settings
from ..transport.app import Answer, Route
from ..transport.metrics import Board
from . import payloads
from .examples import example_row
from .infer import Reply
from .openapi import document
from .page import page

PROMETHEUS = b"text/plain; version=0.0.4; charset=utf-8"
EXTENSIONS = ["binary_tensor_data"]


def routes_of(model: Model, settings: Settings, board: Board) -> dict[str, Route]:
    """The routes of a model by path; Vertex AI's paths come last and take precedence."""
    example = example_row(model)
    shown = page(model, example)
    found = {
        "/": Route("page", lambda: shown),
        "/docs": Route("page", lambda: Reply(b"", 307, headers=((b"location", b"/"),))),
        "/openapi.json": Route("page", _fixed(document(model, settings, example))),
        "/livez": Route("health", _fixed({})),
        "/readyz": Route("health", _fixed({})),
        "/ping": Route("health", lambda: Reply(b"")),
        "/health": Route("health", lambda: Reply(b"")),
        "/version": Route("metadata", _fixed({"name": model.name, "version": model.version})),
        "/metrics": Route("metrics", lambda: Reply(_metrics(model, board), kind=PROMETHEUS)),
        "/predict": Route("predict", post=_answering(payloads.predict, model, settings)),
        "/invocations": Route("invocations", post=_answering(payloads.invocations, model, settings)),
        **_v1(model, settings),
        **_v2(model, settings),
    }
    if settings.health_route:
        found[settings.health_route] = Route("health", _fixed({}))
    if settings.predict_route:
        get = found[settings.predict_route].get if settings.predict_route in found else None
        found[settings.predict_route] = Route("vertex", get, _answering(payloads.instances, model, settings))
    return found


def _v1(model: Model, settings: Settings) -> dict[str, Route]:
    place = f"/v1/models/{model.name}"
    return {
        "/v1/models": Route("metadata", _fixed({"models": [model.name]})),
        place: Route("health", _fixed({"name": model.name, "ready": True})),
        f"{place}:predict": Route("v1", post=_answering(payloads.instances, model, settings)),
    }


def _v2(model: Model, settings: Settings) -> dict[str, Route]:
    found = {
        "/v2": Route("metadata", _fixed({"name": "mlpack", "version": "1", "extensions": EXTENSIONS})),
        "/v2/health/live": Route("health", _fixed({"live": True})),
        "/v2/health/ready": Route("health", _fixed({"ready": True})),
    }
    metadata = _fixed(model.metadata())
    ready = _fixed({"name": model.name, "ready": True})
    for place in (f"/v2/models/{model.name}", f"/v2/models/{model.name}/versions/{model.version}"):
        found[place] = Route("metadata", metadata)
        found[f"{place}/ready"] = Route("health", ready)
        found[f"{place}/infer"] = Route("v2", post=_answering(payloads.v2, model, settings))
    return found


OTHER = Route("other")
"""The route of all other paths."""


def other_of(model: Model) -> Route:
    """The route of all other paths; below the paths of models it names the served model."""
    return replace(OTHER, hint=f"the model here is {model.name!r}, version {model.version!r}")


def _fixed(plain: object) -> Callable[[], Reply]:
    reply = Reply(orjson.dumps(plain))
    return lambda: reply


def _metrics(model: Model, board: Board) -> bytes:
    return board.text(model.name, model.version, model.identity)


def _answering(payload: Callable[..., Reply], model: Model, settings: Settings) -> Answer:
    most = settings.rows
    return lambda headers, body: payload(model, headers, body, most)
