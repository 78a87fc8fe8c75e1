"""SavedModels: a graph of TensorFlow's operators in a folder, with its variables and assets beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..allowlist import Trust
from ..result import Scan
from ..savedmodel_files import MAIN, SavedModel, Tensor, beside, read, unknown
from ..scanner import Scanner

SPACE = "tensorflow.raw_ops"
"""The module of operators, as names of a scan."""


def scan(path: Path, trust: Trust) -> Scan | None:
    """The operators that could open a file, a socket or Python, or that TensorFlow does not have."""
    found = read(path)
    strange = unknown(found)
    own = tuple(f"{SPACE}.{op}" for op in strange if trust.use(SPACE, op) == "own")
    names = tuple(f"{SPACE}.{op}" for op in strange)
    return Scan("savedmodel", names, tuple(n for n in names if n not in own), own=own)


def look(path: Path) -> dict[str, Any]:
    """Its signatures with their tensors, and its operators."""
    found = read(path)
    return {
        "made by": f"TensorFlow {', '.join(sorted(set(found.version)))}",
        "signatures": [_line(name, *sides) for name, sides in sorted(found.signatures.items()) if _is_users(name)],
        "operators": _operators(found),
        "assets": sorted(found.assets),
    }


def _is_users(name: str) -> bool:
    return not name.startswith("__")


def _line(name: str, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> str:
    return f"{name}: {', '.join(map(_tensor, inputs))} -> {', '.join(map(_tensor, outputs))}"


def _tensor(tensor: Tensor) -> str:
    shape = "?" if tensor.shape is None else ", ".join("?" if d < 0 else str(d) for d in tensor.shape)
    return f"{tensor.name} {tensor.dtype} [{shape}]"


def _operators(found: SavedModel) -> list[str]:
    most = sorted(found.operators.items(), key=lambda each: (-each[1], each[0]))
    return [f"{count} x {name}" for name, count in most[:40] if name not in found.functions]


SCANNER = Scanner(
    name="savedmodel",
    title="SavedModels of TensorFlow (folders)",
    sniff=lambda path, head: path.name == MAIN and head[:1] == b"\x08",
    scan=scan,
    beside=beside,
    look=look,
    main=MAIN,
)
