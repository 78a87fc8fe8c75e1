"""Merges options of the command line over those of a TOML file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomllib

from .commands.build import Request
from .errors import UsageError
from .original.mlflow_folder import example_in, is_mlflow

_PATHS = ("model", "example", "output", "lock", "training")
_LISTS = ("code", "targets", "allow", "arguments")
_NAMES = {
    "version": "version_",
    "target": "targets",
    "argument": "arguments",
    "max-p99": "max_p99",
    "keep-failed": "keep_failed",
}
PRECISIONS = ("auto", "float32", "float64")
KEYS: tuple[str, ...] = ("model", "example", "output", "name", "version", "python", "code", "target", "precision")
KEYS += ("rtol", "atol", "max-p99", "allow", "vendor", "lock", "keep-failed")
KEYS += ("overwrite",)
KEYS += ("rscript", "object", "training", "argument", "repository")


def build_request(config: Path | None, options: Mapping[str, Any]) -> Request:
    """The build request: each option from the command line, else from the file, else the default."""
    given = {k: v for k, v in options.items() if v is not None and v != ()}
    merged = {**(_from_file(config) if config else {}), **given}
    if "model" in merged and "example" not in merged and is_mlflow(merged["model"]):
        merged["example"] = example_in(merged["model"])
    for needed in ("model", "example"):
        if needed not in merged:
            raise UsageError(f"{needed} is missing: mlpack build MODEL --example FILE")
    return Request(
        model=merged.pop("model"),
        example=merged.pop("example"),
        output=merged.pop("output", Path("dist")),
        python=merged.pop("python", sys.executable),
        version=merged.pop("version_", "1.0.0"),
        max_p99_ms=merged.pop("max_p99", None),
        **merged,
    )


def _from_file(path: Path) -> dict[str, Any]:
    """The file's table [build], with paths relative to the file."""
    try:
        table: Any = tomllib.loads(path.read_text(encoding="utf-8")).get("build", {})
    except FileNotFoundError as error:
        raise UsageError(f"there is no configuration file {path}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    if not isinstance(table, dict):
        raise UsageError(f"{path}: build must be a table: write [build]")
    unknown = sorted(set(table) - set(KEYS))
    if unknown:
        raise UsageError(f"{path}: unknown key {unknown[0]!r} in [build]; there are: {', '.join(sorted(KEYS))}")
    named = {_NAMES.get(str(key), str(key)): value for key, value in table.items()}
    return {key: _typed(key, value, path) for key, value in named.items()}


def _typed(key: str, value: Any, path: Path) -> Any:
    if key in _PATHS and isinstance(value, str):
        return path.parent / value
    if key in _LISTS and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(path.parent / v for v in value) if key == "code" else tuple(value)
    number, flag = (int, float), (bool,)
    expected: dict[str, tuple[type, ...]] = {"rtol": number, "atol": number, "max_p99": number}
    expected |= {"keep_failed": flag, "vendor": flag, "overwrite": flag}
    fits = isinstance(value, expected.get(key, (str,))) and (expected.get(key) != number or not isinstance(value, bool))
    if key == "precision" and value not in PRECISIONS:
        raise UsageError(f"{path}: precision in [build] must be one of {', '.join(PRECISIONS)}, not {value!r}")
    if fits and key not in (*_PATHS, *_LISTS):
        return value
    raise UsageError(f"{path}: the value of {key.rstrip('_')!r} in [build] has the wrong type: {value!r}")
