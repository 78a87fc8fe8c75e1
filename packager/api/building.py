"""Builds the bundle of a model that a Python program holds, or of a file."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..built import Built
from ..commands.build import build as build_bundle
from ..config import build_request
from ..errors import UsageError
from ..options import from_keywords, from_tables, over, values
from .objects import save

AUTO = "auto"
PATHS = ("output", "lock", "config")
LISTS = {"code": "code", "allow": "allow", "target": "targets", "variant": "variants"}
"""By keyword, the request's name of a list."""


def build(model: Any, example: Any, given: Mapping[str, Any], older: Mapping[str, object]) -> Built:
    """See `mlpack_toolkit.build`. `given`: its keywords; `older`: options of frameworks in their older spellings."""
    asked = {key: value for key, value in given.items() if value is not None and value != ()}
    settings, unknown = from_keywords(older, "")
    if unknown:
        raise UsageError(f"build has no option {sorted(unknown)[0]!r}; options of a framework are in options={{...}}")
    settings = over(from_tables(asked.pop("options", {}), "options"), settings)
    own, config = asked.get("code") == AUTO, asked.pop("config", None)
    if own:
        del asked["code"]
    request = {key: value for each, found in asked.items() for key, value in [_in_request(each, found)]}
    with tempfile.TemporaryDirectory(prefix="mlpack-") as name:
        if isinstance(model, (str, Path)) and example is None:
            request["model"] = Path(model)
        elif model is not None:
            saved = save(model, example, values(settings), own, Path(name))
            request |= {"model": saved.model, "example": saved.example}
            request["code"] = (*saved.code, *request.get("code", ()))
            _show(saved.code if own else ())
        return build_bundle(build_request(Path(config) if config else None, request, settings))


def _in_request(key: str, value: Any) -> tuple[str, Any]:
    """The keyword as a request names and types it."""
    if key in LISTS:
        return LISTS[key], _list(key, value)
    if key == "python":
        return key, str(value)
    return {"version": "version_"}.get(key, key), Path(value) if key in PATHS else value


def _list(key: str, value: str | Path | Sequence[str | Path]) -> tuple[str | Path, ...]:
    each = (value,) if isinstance(value, (str, Path)) else tuple(value)
    return tuple(map(Path, each)) if key == "code" else each


def _show(folders: Sequence[Path]) -> None:
    """Shows what of the program goes into the bundle."""
    for file in (file for folder in folders for file in sorted(folder.rglob("*.py"))):
        print(f"mlpack: model/code/{file.name} of the bundle will be:\n\n{file.read_text('utf-8')}", file=sys.stderr)
