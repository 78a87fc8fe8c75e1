"""Converts the JSON forms of pandas and MLflow to those that every example takes."""

from __future__ import annotations

from typing import Any

from ..errors import UsageError

_SPLIT = {"columns", "data"}
_WRAPPED = ("dataframe_split", "dataframe_records", "instances", "inputs")


def unwrapped(plain: Any) -> Any:
    """The rows of an object in pandas' orientation `split`, or of an MLflow request; else the object unchanged."""
    if not isinstance(plain, dict):
        return plain
    keys = set(plain) - {"params"}
    if len(keys) == 1 and (name := next(iter(keys))) in _WRAPPED and not _is_request(plain[name]):
        return unwrapped(plain[name])
    if _SPLIT <= set(plain) <= {*_SPLIT, "index"} and _is_split(plain):
        names = [str(name) for name in plain["columns"]]
        return {name: [row[i] for row in plain["data"]] for i, name in enumerate(names)}
    return plain


def _is_request(value: Any) -> bool:
    """Whether these are the tensors of a request of the Open Inference Protocol."""
    return isinstance(value, list) and any(isinstance(each, dict) and "datatype" in each for each in value)


def _is_split(plain: dict[str, Any]) -> bool:
    names, rows = plain["columns"], plain["data"]
    if not isinstance(names, list) or not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        return False
    if any(len(row) != len(names) for row in rows):
        raise UsageError(f"the rows of data must have {len(names)} cells each, one for each of columns")
    return True
