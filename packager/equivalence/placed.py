"""Where the nodes of a graph ran: counted in ONNX Runtime's own profile of one run, not taken from what was asked."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.spec import Scalar, Table
from mlpack_toolkit.runtimes.engine.engine import opened
from mlpack_toolkit.runtimes.server.manifest import CPU

from ..errors import DamagedError, MissingToolError
from .session import Session

SHOWN = 5
FLOATS = ("float", "double", "float16", "bfloat16")


@dataclass(frozen=True)
class Placed:
    """`nodes`: how many ran on each provider. `strayed`: by operator, how many of those that give fractions ran on the
    CPU, though another provider was asked for; shapes and indices are computed there on purpose."""

    nodes: Mapping[str, int]
    strayed: Mapping[str, int]


def placed(
    model: bytes | Path, session: Session, options: Mapping[str, Scalar], rows: Table, library: Path | None = None
) -> Placed:
    """Counts the nodes of one run. `library`: native operators that the graph needs."""
    import onnxruntime as ort

    with tempfile.TemporaryDirectory(prefix="mlpack-") as name:
        given = ort.SessionOptions()
        given.enable_profiling, given.profile_file_prefix = True, str(Path(name) / "profile")
        given.log_severity_level = 4
        if library is not None:
            given.register_custom_ops_library(str(library))
        provider = session.provider, {key: str(value) for key, value in options.items()}
        source = model if isinstance(model, bytes) else str(model)
        try:
            again = opened(source, given, provider)
            names = {t.name: t.in_graph for t in session.signature.inputs}
            again.run(None, {names[key]: values for key, values in session.feeds(rows).items()})
        except Exception as error:
            raise DamagedError(f"the graph cannot be profiled on {session.provider}: {error}") from error
        events = json.loads(Path(again.end_profiling()).read_text())
    return _counted([each for each in events if _is_kernel(each)], session.provider)


def _is_kernel(event: Any) -> bool:
    return event.get("cat") == "Node" and str(event.get("name", "")).endswith("_kernel_time")


def _counted(events: list[Any], asked: str) -> Placed:
    nodes = Counter(str(each["args"].get("provider")) for each in events)
    away = (each["args"] for each in events if each["args"].get("provider") == CPU and asked != CPU)
    strayed = Counter(str(each.get("op_name")) for each in away if _gives_fractions(each))
    return Placed(dict(sorted(nodes.items())), dict(sorted(strayed.items())))


def _gives_fractions(arguments: Mapping[str, Any]) -> bool:
    return any(kind in FLOATS for each in arguments.get("output_type_shape", []) for kind in each)


def check_placed(found: Placed, asked: str) -> None:
    """Raises `MissingToolError` where the asked provider ran nothing, or nodes that give fractions ran on the CPU."""
    if found.nodes.get(asked) and not found.strayed:
        return
    names = [f"{count} {name}" for name, count in found.strayed.items()]
    more = f" and {len(names) - SHOWN} other kinds" if len(names) > SHOWN else ""
    what = f"{', '.join(names[:SHOWN])}{more} ran on the CPU" if names else "it ran no node"
    raise MissingToolError(
        f"{asked} was asked for, and it did not run the whole graph: {what}; what is proved on it must run on it",
        nodes=dict(found.nodes),
    )
