"""How ONNX Runtime is set up to run a graph: chosen by default, or measured on a kind of machine (`mlpack tune`)."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .schema import MOST_BYTES, Check, Fault, flag, one_of, parse, record, text, whole

LEVELS = ("basic", "extended", "all")
"""How far ONNX Runtime rewrites a graph before it runs it."""
MOST_THREADS = 1024
MOST_ROWS = 1 << 24
PROOFS = "evidence/proofs"
"""The folder of a bundle that has such choices."""
PREFIX = "tune."
FORMAT = 1


@dataclass(frozen=True)
class Tuning:
    """How a graph runs.

    `threads`: for one node; 0: one for each processor. `inter`: above 1, so many nodes run at a time as do not depend
    on each other. `level`: one of `LEVELS`. `spinning`: waiting threads keep a processor busy. `batch`: the rows of one
    run where many wait; 0: not chosen.
    """

    threads: int = 0
    inter: int = 1
    level: str = "all"
    spinning: bool = False
    batch: int = 0

    def to_json(self) -> dict[str, Any]:
        """The JSON object of this choice."""
        return asdict(self)

    def options(self) -> Any:
        """ONNX Runtime's options of a session."""
        import onnxruntime as ort

        levels = ort.GraphOptimizationLevel
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        if self.inter > 1:
            options.execution_mode = ort.ExecutionMode.ORT_PARALLEL
            options.inter_op_num_threads = self.inter
        if self.level != LEVELS[-1]:
            options.graph_optimization_level = getattr(levels, f"ORT_ENABLE_{self.level.upper()}")
        if not self.spinning:  # else waiting threads burn a core
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return options


_choice: Check = record(
    {
        "threads": whole(0, MOST_THREADS),
        "inter": whole(1, MOST_THREADS),
        "level": one_of(*LEVELS),
        "spinning": flag,
        "batch": whole(0, MOST_ROWS),
    },
    closed=True,
)
_document: Check = record(
    {"format": whole(FORMAT, FORMAT), "identity": text(), "variant": text(), "kind": text(64), "choice": _choice}
)


def kind_of_machine() -> dict[str, Any]:
    """What makes two machines the same kind for a measured choice: a choice that was measured on one holds on the
    other."""
    import onnxruntime

    return {
        "cpu": _model() or platform.machine(),
        "architecture": platform.machine(),
        "cores_usable": len(os.sched_getaffinity(0)),
        "onnxruntime": str(onnxruntime.__version__),
    }


def key_of(kind: Mapping[str, Any]) -> str:
    """A short digest of a kind of machine."""
    return hashlib.sha256(repr(sorted(kind.items())).encode()).hexdigest()[:16]


def _model() -> str:
    """The processor's model, as Linux has it; empty where it does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def tuning_in(folder: Path, identity: str, variant: str) -> Tuning | None:
    """The choice in a bundle's folder of proofs for this kind of machine, this bundle and this variant; None: there is
    none, or it does not fit the schema. Anyone may add one: it sets threads and levels within bounds, no more."""
    try:
        key = key_of(kind_of_machine())
        for path in sorted(folder.glob(f"{PREFIX}*.json")):
            found = _read(path)
            if found is not None and (found["identity"], found["variant"], found["kind"]) == (identity, variant, key):
                return _bounded(Tuning(**found["choice"]))
    except OSError:
        return None
    return None


def _read(path: Path) -> Any:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST_BYTES:
        return None
    try:
        plain = parse(path.read_bytes())
        _document(plain, "")
    except Fault:
        return None
    return plain


def _bounded(found: Tuning) -> Tuning | None:
    """The choice, unless it has more threads than the machine has processors."""
    return found if max(found.threads, found.inter) <= len(os.sched_getaffinity(0)) else None
