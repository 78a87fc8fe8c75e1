"""safetensors: a header of JSON, then numbers; weights without the module that they belong to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..allowlist import Trust
from ..result import Scan
from ..safetensors_files import header_of, sniff
from ..scanner import Scanner

SHOWN = 40


def scan(path: Path, trust: Trust) -> Scan:
    """No name: the header is checked, and what is behind it is numbers."""
    header_of(path)
    return Scan("safetensors")


def look(path: Path) -> dict[str, Any]:
    """The tensors that the header lists, the first of many, and its metadata."""
    header = header_of(path)
    lines = [f"{name}: {dtype} {list(shape)}" for name, (dtype, shape) in header.tensors.items()]
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return {
        "tensors": lines[:SHOWN] + more,
        "metadata": [f"{name}: {text}" for name, text in sorted(header.metadata.items())],
    }


SCANNER = Scanner(
    name="safetensors",
    title="safetensors",
    sniff=sniff,
    scan=scan,
    look=look,
)
