"""The variants that the user asks for: tables `[[variant]]`, `--variant` and the options `quantise.…`, checked."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.plugin import BUILD, FILE, FLAG, NUMBER, Option

from .. import variants
from ..errors import UsageError
from ..variants.spec import ELSEWHERE, METRIC

SCOPE = "quantise"
"""The name before the dot of the options on the command line."""
OPTIONS = (
    Option("metric", "What holds a variant: top1, kl, cosine, max_abs, or MODULE:FUNCTION of --code.", scope=BUILD),
    Option("limit", "The least top1 or cosine, the most of all others.", kind=NUMBER, scope=BUILD),
    Option("rows", "The rows that the metric is taken on, in a file as --example.", kind=FILE, scope=BUILD),
    Option("calibration", "Other rows, which show int8_static the ranges of numbers.", kind=FILE, scope=BUILD),
    Option("max_drop", "Put the worst nodes back until the metric drops by no more.", kind=NUMBER, scope=BUILD),
    Option("output", "The output that the metric is taken on.", scope=BUILD),
    Option("block", "Weights that share a scale, of int4 and int8_weights.", kind=NUMBER, scope=BUILD),
    Option("ship_slower", "Ship a variant that is slower than its parent, too.", kind=FLAG, scope=BUILD),
)
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
NEAR = 0.5
"""The least limit of a metric that is a share or a cosine: below it, a limit was meant the other way round."""
_BLOCKS = (16, 32, 64, 128, 256)
_PATHS = ("rows", "calibration")


@dataclass(frozen=True)
class Asked:
    """One variant as the user asks for it; see `mlpack build --help` and docs/variants.md. `options`: the values of its
    kind's own."""

    kind: str
    name: str
    metric: str = ""
    limit: float | None = None
    rows: Path | None = None
    calibration: Path | None = None
    max_drop: float | None = None
    output: str = ""
    block: int = 32
    ship_slower: bool = False
    options: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def gate(self) -> str:
        """The metric and the limit in words, for a message."""
        return f"metric {self.metric}, limit {self.limit:g}" if self.limit is not None else f"metric {self.metric}"


def asked_of(
    tables: Sequence[tuple[Mapping[str, Any], Path]], names: Sequence[str], given: Mapping[str, Any]
) -> tuple[Asked, ...]:
    """The variants in their order.

    `tables`: `[[variant]]` with the folder of their paths. `names`: of `--variant`: those of tables, or kinds; none:
    all tables. `given`: the values of the options, over those of the tables.
    """
    found = {each.name: each for each in (_of_table(table, folder) for table, folder in tables)}
    if len(found) < len(tables):
        raise UsageError("two tables [[variant]] have the same name: give them a name each (name = …)")
    over = {key: Path(value) if key in _PATHS else value for key, value in given.items()}
    chosen = [found.get(name) or Asked(name, name) for name in dict.fromkeys(names)] if names else list(found.values())
    if given and not chosen:
        raise UsageError("the options quantise.… are those of variants: name one with --variant, or in [[variant]]")
    return tuple(_checked(replace(each, **_whole(over))) for each in chosen)


def _whole(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values with a whole number for the block."""
    return {**given, **({"block": int(given["block"])} if "block" in given else {})}


def _of_table(table: Mapping[str, Any], folder: Path) -> Asked:
    if not isinstance(table, Mapping) or not isinstance(table.get("kind"), str):
        raise UsageError(f"[[variant]] needs a kind; there are: {', '.join(variants.names())}")
    known = {each.name for each in fields(Asked)} - {"options"}
    if unknown := sorted(set(table) - known):
        raise UsageError(f"unknown key {unknown[0]!r} in [[variant]]; there are: {', '.join(sorted(known))}")
    values = {key: _typed(key, value, folder) for key, value in table.items()}
    return Asked(**{"name": table["kind"], **values})


def _typed(key: str, value: Any, folder: Path) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if key in ("limit", "max_drop") and number and math.isfinite(value):
        return float(value)
    if key == "block" and number:
        return int(value)
    if key == "ship_slower" and isinstance(value, bool):
        return value
    if key in _PATHS and isinstance(value, str):
        return folder / value
    if key in ("kind", "name", "metric", "output") and isinstance(value, str):
        return value
    raise UsageError(f"the value of {key!r} in [[variant]] has the wrong type: {value!r}")


def _checked(asked: Asked) -> Asked:
    """The same with the limit that `max_drop` means; `UsageError` for what cannot be built."""
    from mlpack_toolkit.runtimes.server.manifest import REFERENCE

    kind = variants.load(asked.kind)
    where = f"the variant {asked.name}"
    if not _NAME.fullmatch(asked.name) or asked.name == REFERENCE:
        raise UsageError(f"{where} needs another name: letters, digits and . _ -, and not {REFERENCE}")
    if asked.max_drop is not None and asked.max_drop < 0:
        raise UsageError(f"{where}: max_drop must be 0 or more")
    asked = replace(asked, limit=_limit(asked))
    missing = [key for key in ("metric", "limit", "rows") if getattr(asked, key) in ("", None)]
    from .metrics import METRICS

    if missing and (kind.held == METRIC or len(missing) < 3):
        raise UsageError(
            f"{where} needs {', '.join(missing)}: nothing but a metric on rows of your own says whether a model is "
            f"still good enough (metric: {', '.join(METRICS)} or MODULE:FUNCTION; limit: a number; rows: a file)"
        )
    for key in ("rows", "calibration"):
        path = getattr(asked, key)
        if path is not None and not path.exists():
            raise UsageError(f"{where}: there is no file {path} ({key})")
    if kind.calibrates and asked.calibration is None:
        raise UsageError(f"{where} needs calibration: a file of rows that show the ranges of numbers, other than rows")
    if asked.calibration is not None and asked.rows is not None and asked.calibration.samefile(asked.rows):
        raise UsageError(f"{where}: calibration and rows are the same file; rows that judge must not have been learnt")
    if asked.block not in _BLOCKS:
        raise UsageError(f"{where}: block must be one of {', '.join(map(str, _BLOCKS))}, not {asked.block}")
    _check_metric(asked, where)
    if kind.held == ELSEWHERE:
        _check_elsewhere(asked, where)
    return asked


def _check_elsewhere(asked: Asked, where: str) -> None:
    """Raises `UsageError` for what could never be held: nothing runs the variant here."""
    from .metrics import METRICS

    if asked.max_drop is not None:
        raise UsageError(f"{where}: max_drop needs answers of the variant, which nothing here runs; leave it out")
    if asked.metric and asked.metric not in METRICS:
        raise UsageError(
            f"{where}: `mlpack verify` holds it on another machine, and runs no function of yours; take one of "
            f"{', '.join(METRICS)}"
        )


def _limit(asked: Asked) -> float | None:
    """The stricter of the limit and what `max_drop` means."""
    from .metrics import METRICS

    if asked.max_drop is None or not asked.metric:
        return asked.limit
    metric = METRICS.get(asked.metric)
    meant = metric.most_loss(asked.max_drop) if metric else asked.max_drop
    if asked.limit is None:
        return meant
    return max(meant, asked.limit) if metric and metric.higher else min(meant, asked.limit)


def _check_metric(asked: Asked, where: str) -> None:
    from .metrics import METRICS

    metric = METRICS.get(asked.metric)
    if metric is None:
        if asked.metric and not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*", asked.metric):
            known = ", ".join(METRICS)
            raise UsageError(f"{where}: there is no metric {asked.metric!r}; there are: {known}, MODULE:FUNCTION")
        return
    if metric.higher and asked.limit is not None and not NEAR <= asked.limit <= 1:
        raise UsageError(
            f"{where}: the limit of {metric.name} is the least that is allowed, from {NEAR:g} to 1, and "
            f"{asked.limit:g} is not: 0.99 allows one row in a hundred to differ"
        )
    if not metric.higher and asked.limit is not None and asked.limit < 0:
        raise UsageError(
            f"{where}: the limit of {metric.name} is the most that is allowed, and {asked.limit:g} is below 0"
        )
