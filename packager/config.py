"""Merges options of the command line over those of a TOML file."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomllib

from .accuracy.asked import SCOPE, asked_of
from .declared import old_spellings
from .errors import UsageError
from .latency.limits import TABLE, Limits, Times, times_in, times_of
from .options import Setting, from_keywords, from_tables, over, values
from .original.mlflow_folder import example_in, is_mlflow
from .original.model_folder import makes_example
from .request import Request
from .variant_options import apart, with_own
from .variants import with_options

_PATHS = ("model", "example", "output", "lock")
_LISTS = ("code", "targets", "allow", "variants")
_NAMES = {
    "version": "version_",
    "target": "targets",
    "variant": "variants",
    "max-p99": "max_p99",
    "keep-failed": "keep_failed",
}
CPU = "cpu"
PRECISIONS = ("auto", "float32", "float64")
KEYS: tuple[str, ...] = ("model", "example", "output", "name", "version", "python", "code", "target", "precision")
KEYS += ("rtol", "atol", "max-p99", "allow", "vendor", "lock", "keep-failed")
KEYS += ("overwrite", "reuse", "variant")


def build_request(config: Path | None, options: Mapping[str, Any], settings: Sequence[Setting] = ()) -> Request:
    """The request for a build: each value from the command line, else from the file, else the default.

    `settings`: the options of frameworks.
    """
    given = {k: v for k, v in options.items() if v is not None and v != ()}
    from_file, settings_in_file, listed, limits = _from_file(config) if config else ({}, (), (), {})
    merged = {**from_file, **given}
    found = dict(values(over(settings, settings_in_file)))
    tables, own = apart(listed)
    of_kinds = {kind: found.pop(kind) for kind in with_options() if kind in found}
    variants = asked_of(tables, merged.pop("variants", ()), found.pop(SCOPE, {}))
    variants = with_own(variants, own, of_kinds)
    if "model" in merged and "example" not in merged and is_mlflow(merged["model"]):
        merged["example"] = example_in(merged["model"])
    if "model" in merged and "example" not in merged and makes_example(merged["model"]):
        merged["example"] = None
    if "model" in merged and "example" not in merged and not merged["model"].exists():
        raise UsageError(f"there is no model file {merged['model']}")
    for needed in ("model", "example"):
        if needed not in merged:
            raise UsageError(f"{needed} is missing: mlpack build MODEL --example FILE")
    return Request(
        model=merged.pop("model"),
        example=merged.pop("example"),
        output=merged.pop("output", Path("dist")),
        python=merged.pop("python", sys.executable),
        version=merged.pop("version_", "1.0.0"),
        max_p99_ms=_limit(merged.pop("max_p99", None), limits),
        options=found,
        variants=variants,
        **merged,
    )


def _limit(given: Any, others: Times) -> float | None:
    """The limit on the p99 of the graph on the CPU, which a build measures; `given`: a number, or texts."""
    own = given if isinstance(given, (tuple, list)) else () if given is None else (given,)
    limits = Limits(times_of(own), others)
    limits.check_measured((CPU,), "build")
    return limits.of(CPU)


def _from_file(path: Path) -> tuple[dict[str, Any], tuple[Setting, ...], tuple[tuple[Any, Path], ...], Times]:
    """The file's tables [build], [options.FRAMEWORK], [[variant]] and [limits], paths relative to the file."""
    try:
        plain: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"there is no configuration file {path}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    table = plain.get("build", {})
    if not isinstance(table, dict):
        raise UsageError(f"{path}: build must be a table: write [build]")
    tables = plain.get("variant", [])
    if not isinstance(tables, list):
        raise UsageError(f"{path}: variant must be a list of tables: write [[variant]]")
    settings = from_tables(plain.get("options", {}), f"{path}: options", path.parent)
    older, others = from_keywords(table, f"{path}: ", path.parent)
    unknown = sorted(set(others) - set(KEYS))
    if unknown:
        known = sorted({*KEYS, *(spelling.lstrip("-") for spelling in old_spellings())})
        raise UsageError(f"{path}: unknown key {unknown[0]!r} in [build]; there are: {', '.join(known)}")
    named = {_NAMES.get(str(key), str(key)): value for key, value in others.items()}
    typed = {key: _typed(key, value, path) for key, value in named.items()}
    limits = times_in(plain.get(TABLE, {}), f"{path}: {TABLE}")
    return typed, over(settings, older), tuple((table, path.parent) for table in tables), limits


def _typed(key: str, value: Any, path: Path) -> Any:
    if key in _PATHS and isinstance(value, str):
        return path.parent / value
    if key in _LISTS and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(path.parent / v for v in value) if key == "code" else tuple(value)
    number, flag = (int, float), (bool,)
    expected: dict[str, tuple[type, ...]] = {"rtol": number, "atol": number, "max_p99": number}
    if key == "max_p99" and isinstance(value, str):
        return value
    expected |= {"keep_failed": flag, "vendor": flag, "overwrite": flag, "reuse": flag}
    fits = isinstance(value, expected.get(key, (str,))) and (expected.get(key) != number or not isinstance(value, bool))
    if key == "precision" and value not in PRECISIONS:
        raise UsageError(f"{path}: precision in [build] must be one of {', '.join(PRECISIONS)}, not {value!r}")
    if fits and key not in (*_PATHS, *_LISTS):
        return value
    raise UsageError(f"{path}: the value of {key.rstrip('_')!r} in [build] has the wrong type: {value!r}")
