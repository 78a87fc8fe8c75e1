"""Answers a request whose body is one image, JPEG or PNG, for a model with one input, which is an image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import orjson

from mlpack_toolkit.converters.spec import Table

from ...engine.errors import Refusal
from ...engine.images import JPEG, PNG, NoDecoder, image_input, objects_of, pixels_of, table_of
from ..model import Model
from .infer import ALL, Reply, reply_of

KINDS = {"image/jpeg": JPEG, "image/png": PNG}
"""What `Content-Type` says of a body."""


def is_image(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the body is an image, by `Content-Type`."""
    return headers.get(b"content-type", b"")[:6].lower() == b"image/"


def predict(model: Model, headers: Mapping[bytes, bytes], body: bytes) -> Reply:
    """A list of one object, with each output by its name."""
    return Reply(orjson.dumps(_answered(model, headers, body)), rows=1)


def predictions(model: Model, headers: Mapping[bytes, bytes], body: bytes) -> Reply:
    """The same as `predictions`."""
    return Reply(orjson.dumps({"predictions": _answered(model, headers, body)}), rows=1)


def v2(model: Model, headers: Mapping[bytes, bytes], body: bytes) -> Reply:
    """The tensors of all outputs in the Open Inference Protocol."""
    return reply_of(model, model.ask(_table(model, headers, body)), ALL)


def _answered(model: Model, headers: Mapping[bytes, bytes], body: bytes) -> list[dict[str, object]]:
    return objects_of(model.signature, model.ask(_table(model, headers, body)), 1)


def _table(model: Model, headers: Mapping[bytes, bytes], body: bytes) -> Table:
    """The tensor of the image; raises `Refusal`."""
    spec = image_input(model.signature)
    kind = headers[b"content-type"].decode("latin-1").partition(";")[0].strip().lower()
    if kind not in KINDS:
        raise Refusal(f"this server takes images as image/jpeg or image/png, not as {kind[:40]}", 415, "encoding")
    try:
        pixels = pixels_of(body, spec, formats=(KINDS[kind],))
    except NoDecoder as error:
        raise Refusal(
            "this server cannot decode images, it lacks Pillow: send pixels as a tensor", 415, "encoding"
        ) from error
    return table_of(spec, np.asarray(pixels)[None])
