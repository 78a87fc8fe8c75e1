"""Checks the replies, tables and graphs of the model's process against their schemas.

Code of a malicious model could write them itself, so they are untrusted: anything else is a `ForgedError`.
"""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from mlpack_toolkit.converters import messages
from mlpack_toolkit.converters.messages import Failure, R
from mlpack_toolkit.converters.spec import Table
from mlpack_toolkit.converters.table import read_table, write_table
from mlpack_toolkit.runtimes.engine.schema import (
    Check,
    Fault,
    flag,
    listing,
    mapping,
    maybe,
    number,
    record,
    scalar,
    signature,
    text,
    whole,
    wrong,
)

from ..data.bombs import MOST_BYTES, expanded
from ..errors import ForgedError
from ..language.schema import spoken

MOST_REPLY = 1 << 28
MOST_ITEMS = 10_000_000
MOST_ROWS = 2**31 - 1
_KINDS = "biufO"
"""The kinds of numpy types that a table's file may contain."""
_words = listing(text(), MOST_ITEMS)
_message = text(MOST_REPLY)


def _value(value: Any, where: str) -> None:
    """A text, a flag, or any number, infinite ones and NaN too."""
    if type(value) is not float or math.isfinite(value):
        scalar(value, where)


def _real(value: Any, where: str) -> None:
    if type(value) not in (int, float):
        raise wrong(value, where, "a number")
    _value(value, where)


def _row(value: Any, where: str) -> None:
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise wrong(value, where, "the number of a row")


def _known(value: Any, where: str) -> None:
    """A kind of probe, its column, the number of values tried, and the number of known values."""
    listing(_value, 4, 4)(value, where)
    for i, check in enumerate((text(), text(), _count, _count)):
        check(value[i], f"{where}[{i}]")


_count = whole(0, MOST_ROWS)
_library = record({"user_api": maybe(text()), "internal_api": text()}, {"architecture": maybe(text())})
_sandbox = record({"held": _words, "open": _words, "landlock": whole(0, 1000), "seccomp": flag})
_loaded = record(
    {
        "framework": text(),
        "title": text(),
        "task": text(),
        "columns": _words,
        "width": _count,
        "notes": _words,
        "precisions": _words,
        "versions": mapping(text()),
        "libraries": listing(_library),
        "processor": text(),
        "own_environment": flag,
        "sandbox": _sandbox,
        "can_convert": flag,
    }
)
_probed = record(
    {
        "notes": _words,
        "signature": signature,
        "batches": listing(listing(_count, MOST_ITEMS, 1), MOST_ITEMS),
        "kinds": _words,
        "columns": _words,
        "known": listing(_known, MOST_ITEMS),
        "refused": mapping(_message, _row),
        "features": _words,
        "values": mapping(listing(_value, MOST_ITEMS), text()),
        "bounds": mapping(listing(_real, MOST_ITEMS), text()),
    }
)
_timed = record({name: number(0) for name in ("batch", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "rows_per_second")})
_package = record(
    {
        "Package": text(200, r"[A-Za-z][A-Za-z0-9.]*", "the name of an R package"),
        "Version": text(200, r"[0-9]+([.-][0-9]+)*", "the version of an R package"),
        "path": text(least=1),
    }
)
_fields = mapping(scalar)


def _described(value: Any, where: str) -> None:
    """An R package: fields of its DESCRIPTION, and its folder."""
    _fields(value, where)
    _package(value, where)
    mapping(text())({k: v for k, v in value.items() if type(v) is not str}, where)


_environment = record(
    {
        "interpreter": record({"version": text(200), "platform": text()}),
        "libraries": _fields,
        "locale": text(),
        "packages": listing(_described),
    }
)
_nothing = record({})
_failure = record({"kind": text(), "message": _message}, {"missing": maybe(text()), "confined": flag})
_T = TypeVar("_T")
REPLIES: Mapping[type[messages.Message], Check] = {
    messages.Loaded: _loaded,
    messages.Probed: _probed,
    messages.Converted: record({"as_it_came": flag, "kernels": whole(0, 2**31), "left_out": listing(_message)}),
    messages.Noisy: record({"outputs": mapping(number(0), text())}),
    messages.Observed: record({"left_out": _words}),
    messages.Judgement: record({"values": listing(number(), MOST_ITEMS)}),
    messages.Measured: record({"batches": listing(_timed)}),
    messages.Surroundings: record({"environment": _environment}),
    messages.Spoken: spoken,
    messages.Done: _nothing,
}
"""The schema of each reply."""


def parse_reply(line: bytes, request: messages.Request[R]) -> R | Failure:
    """The reply to that request, or the failure in its place; `ForgedError` for anything else."""
    try:
        reply = json.loads(line)
        record({"ok": flag})(reply, "")
        kind = request.reply if reply["ok"] else Failure
        (REPLIES[kind] if reply["ok"] else _failure)(reply, "")
        return cast("R | Failure", kind.from_json(reply))
    except (ValueError, RecursionError) as error:  # `Fault` is a ValueError
        said = error if isinstance(error, Fault) else "no JSON"
        raise odd(f"its reply to {request.command}: {said}") from error


def odd(what: str) -> ForgedError:
    """The error for a reply or a file that mlpack's own code never writes."""
    return ForgedError(
        f"the model's process broke mlpack's protocol ({what}), so code of the model may be running in it: do not "
        "trust this file"
    )


def table_in(path: Path) -> Table:
    """The table that the process wrote there."""
    found = tensors_in(path)
    if not all(column.ndim for column in found.values()):
        raise odd(f"{path.name} holds no table")
    if len({len(column) for column in found.values()}) > 1:
        raise odd(f"the columns in {path.name} have different lengths")
    return found


def tensors_in(path: Path) -> Table:
    """The tensors that the process wrote there, of any rank and length."""
    return _read(path, MOST_BYTES, _table)


def hand_over(rows: Table, path: Path) -> None:
    """Writes rows for the process to read."""
    try:
        path.unlink(missing_ok=True)
        write_table(rows, path)
    except OSError as error:
        raise odd(f"{path.name} cannot be written: {error.strerror}") from error


def _read(path: Path, most: int, read: Callable[[Path], _T]) -> _T:
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            raise odd(f"{path.name} is no file of at most {most:,} bytes")
        return read(path)
    except ForgedError:
        raise
    except Exception as error:  # any error of a parser on untrusted bytes
        raise odd(f"{path.name} cannot be read: {error.__class__.__name__}") from error


def _table(path: Path) -> Table:
    if expanded(path) > MOST_BYTES:
        raise odd(f"{path.name} expands to more than half of this machine's memory")
    found = read_table(path)
    for name, column in found.items():
        if type(name) is not str or column.dtype.kind not in _KINDS:
            raise odd(f"{path.name} holds no table")
    return found
