"""Reads the names that skops would look up from a skops file's `schema.json`."""

from __future__ import annotations

import json
import zipfile
from typing import Any

from .machine import Trace
from .skops_nodes import check_nodes
from .values import Fault
from .zips import check_members

SCHEMA = "schema.json"
SCHEMA_LIMIT = 256 << 20
TOTAL_LIMIT = 4 << 30
_MAKES_NOTHING = frozenset({"CachedNode", "JsonNode"})
"""Loaders that read their value from elsewhere in the file and look up no name."""

_REFERS = frozenset({"FunctionNode", "TypeNode", "NdArrayNode"})
"""Loaders that look up a name without calling it, or that call only number types."""

Names = set[tuple[str, str]]


def scan_skops(archive: zipfile.ZipFile, trace: Trace) -> str:
    """The dotted name of the root's class; adds the file's names to `trace`. Raises `Fault`."""
    check_members(archive, TOTAL_LIMIT)
    schema = _schema(archive)
    todo: list[Any] = [schema]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            _note_names(node, trace)
            _note_version(node, trace.versions)
            todo.extend(node.values())
        elif isinstance(node, list):
            todo.extend(node)
    if not trace.trust.refused(trace.names, trace.called):
        check_nodes(schema, trace)
    return f"{schema['__module__']}.{schema['__class__']}"


def _note_names(node: dict[str, Any], trace: Trace) -> None:
    names = _names_of(node)
    trace.names |= names
    if node.get("__loader__") not in _REFERS:
        trace.called |= names


def _schema(archive: zipfile.ZipFile) -> dict[str, Any]:
    with archive.open(SCHEMA) as member:
        raw = member.read(SCHEMA_LIMIT + 1)
    if len(raw) > SCHEMA_LIMIT:
        raise Fault(f"its {SCHEMA} is larger than {SCHEMA_LIMIT >> 20} MiB")
    try:
        schema = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Fault(f"its {SCHEMA} is not readable JSON") from error
    if not isinstance(schema, dict) or not {"__class__", "__module__", "__loader__"} <= schema.keys():
        raise Fault(f"its {SCHEMA} is not that of a skops file")
    return schema


def _names_of(node: dict[str, Any]) -> Names:
    """The names that this node's loader looks up; a superset is harmless, a gap is not."""
    loader = node.get("__loader__")
    if not isinstance(loader, str) or loader in _MAKES_NOTHING:
        return set()
    module, name, content = node.get("__module__"), node.get("__class__"), node.get("content")
    if not isinstance(module, str) or not isinstance(name, str):
        raise Fault(f"a {loader} of its {SCHEMA} has no class")
    found = {(module, name)}
    if loader == "MethodNode":
        found.add((module, f"{name}.{_part(content, 'func')}"))
    if loader == "FunctionNode" and isinstance(content, dict):
        found.add((_part(content, "module_path"), _part(content, "function")))
    if loader == "RandomGeneratorNode":
        found.add(("numpy.random", _bit_generator(content)))
    return found


def _part(content: Any, key: str) -> str:
    value = content.get(key) if isinstance(content, dict) else None
    if not isinstance(value, str):
        raise Fault(f"a node of its {SCHEMA} has no {key}")
    return value


def _bit_generator(content: Any) -> str:
    """The class that skops picks by a string in the state."""
    node = content.get("bit_generator") if isinstance(content, dict) else None
    inner = node.get("content") if isinstance(node, dict) else None
    text = _part(inner.get("bit_generator") if isinstance(inner, dict) else None, "content")
    try:
        name = json.loads(text)
    except (ValueError, RecursionError):
        name = None
    if not isinstance(name, str):
        raise Fault("a random generator in it has no name")
    return name


def _note_version(node: dict[str, Any], versions: dict[str, str]) -> None:
    state = node.get("_sklearn_version")
    text = state.get("content") if isinstance(state, dict) else None
    if isinstance(text, str) and len(text) < 64:
        versions["scikit-learn"] = text.strip('"')
