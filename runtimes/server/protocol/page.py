"""Serves the page for trying the model with one row: a single file without external resources or foreign markup."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from mlpack_toolkit.converters.spec import TensorSpec

from ..model import Model
from .infer import Reply

HTML = b"text/html; charset=utf-8"


def page(model: Model, example: Mapping[str, Any]) -> Reply:
    """The page; its content security policy allows only its own script."""
    facts = {
        "name": model.name,
        "version": model.version,
        "identity": model.identity,
        "task": model.signature.task,
        "columns": [_column(spec, example.get(spec.name)) for spec in model.inputs],
    }
    text = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    plain = orjson.dumps(facts).decode().replace("<", "\\u003c")
    policy = (
        f"default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        f"script-src {_digest(text, 'script')}; style-src {_digest(text, 'style')}"
    )
    headers = ((b"content-security-policy", policy.encode()), (b"x-content-type-options", b"nosniff"))
    return Reply(text.replace("/*MODEL*/", plain).encode(), kind=HTML, headers=headers)


def _digest(text: str, tag: str) -> str:
    """The digest of the page's own script or style, in the policy's form."""
    inner = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[-1]
    return f"'sha256-{base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()}'"


def _column(spec: TensorSpec, example: Any) -> dict[str, Any]:
    kind = "text" if spec.is_text else "flag" if spec.dtype == "bool" else "number"
    return {
        "name": spec.name,
        "kind": "list" if isinstance(example, list) else kind,
        "values": None if spec.values is None or isinstance(example, list) else list(spec.values),
        "nullable": spec.nullable,
        "example": example,
    }
