"""CatBoost's models in JSON, known by their sections."""

from __future__ import annotations

from pathlib import Path

from ..scanner import Scanner, holds_data

_SECTIONS = (b'"features_info"', b'"scale_and_bias"', b'"model_info"')


def sniff(path: Path, head: bytes) -> bool:
    """Whether the file is JSON that has the sections."""
    if not head.lstrip().startswith(b"{"):
        return False
    content = path.read_bytes()
    return all(section in content for section in _SECTIONS)


SCANNER = Scanner(
    name="json_catboost",
    title="CatBoost's .json",
    sniff=sniff,
    scan=holds_data("json_catboost"),
)
