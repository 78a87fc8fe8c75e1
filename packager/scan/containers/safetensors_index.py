"""The index of weights in several safetensors files: JSON that names the file of each tensor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..allowlist import Trust
from ..result import Scan
from ..scanner import Scanner
from ..sharded_weights import index_of, shards_of


def sniff(path: Path, head: bytes) -> bool:
    """Whether it is JSON that has a map of weights near its start."""
    return head.lstrip().startswith(b"{") and b'"weight_map"' in head


def scan(path: Path, trust: Trust) -> Scan:
    """No name: the index is checked here, and the files that it names by `beside`."""
    index_of(path)
    return Scan("safetensors_index")


def look(path: Path) -> dict[str, Any]:
    """The number of tensors, and the files that they are in."""
    return {"tensors": len(index_of(path)), "files": [each.name for each in shards_of(path)]}


SCANNER = Scanner(
    name="safetensors_index",
    title="the index of several safetensors files",
    sniff=sniff,
    scan=scan,
    beside=shards_of,
    look=look,
)
