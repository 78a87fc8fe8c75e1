"""Names that the user allows with `--code`: the definitions in those folders' modules, parsed, not run."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .allowlist import allowed_names, referred_names


@dataclass(frozen=True)
class Vouched:
    """Dotted names. `classes`: loading may create objects of them. `functions`: a model may hold them as values, but
    loading may not call them with arguments of the file's choosing."""

    classes: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()


def vouched(folders: Sequence[Path]) -> Vouched:
    """The classes and functions that the folders' modules define at their top level, without their imports.

    A module named like a package of the allow-list or the standard library adds none, as it may not pose as one.
    """
    classes: set[str] = set()
    functions: set[str] = set()
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            module = _module(path.relative_to(folder))
            if module and module.split(".")[0] not in _tops():
                for kind, name in _defined(path):
                    (classes if kind is ast.ClassDef else functions).add(f"{module}.{name}")
    return Vouched(frozenset(classes), frozenset(functions - classes))


def _tops() -> frozenset[str]:
    listed = allowed_names() | referred_names()
    return frozenset(sys.stdlib_module_names) | {name.split(".")[0] for name in listed}


def _module(path: Path) -> str:
    """The dotted name under which the file is imported; empty where it cannot be imported."""
    parts = path.with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts) if parts and all(part.isidentifier() for part in parts) else ""


def _defined(path: Path) -> Iterator[tuple[type, str]]:
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    yield from _definitions(tree.body)


def _definitions(body: Iterable[ast.stmt]) -> Iterator[tuple[type, str]]:
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            yield type(node), node.name
        elif isinstance(node, (ast.If, ast.Try)):
            handlers = [s for h in getattr(node, "handlers", ()) for s in h.body]
            yield from _definitions([*node.body, *handlers, *node.orelse])
