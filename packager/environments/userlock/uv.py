"""Reads uv.lock, a graph for all platforms, extras and groups, of which one environment has a part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import tomllib

from ..python.markers import holds
from .pins import PROJECT, NotALock, Pin, check_marker, checkout, make_pin, public, stated_hash, version_of_file

LOCAL_KINDS = {"editable": "editable", "directory": "directory", "path": "archive", "virtual": PROJECT}


@dataclass(frozen=True)
class Edge:
    """A dependency; `version` and `source` only where the name alone is ambiguous."""

    name: str
    extras: tuple[str, ...]
    marker: str
    version: str
    source: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Node:
    """A package. `edges`: by extra; the empty string for those that it always has."""

    pin: Pin
    source: tuple[tuple[str, str], ...]
    edges: Mapping[str, tuple[Edge, ...]]


@dataclass(frozen=True)
class Graph:
    """The content of the file."""

    nodes: tuple[Node, ...]
    roots: tuple[Edge, ...]
    """The requirements of the projects, or a script's own."""


def read_graph(text: str) -> Graph:
    """The whole file; later revisions of version 1 only add fields that are not needed here."""
    from packaging.specifiers import SpecifierSet

    table = tomllib.loads(text)
    if table.get("version") != 1:
        raise NotALock(f"its format version is {table.get('version')!r} and mlpack reads 1")
    SpecifierSet(table.get("requires-python", ""))
    for marker in table.get("supported-markers", ()):
        check_marker(marker, "supported-markers")
    manifest = table.get("manifest", {})
    members = frozenset(manifest.get("members", ()))
    nodes = tuple(_node(p, members) for p in table.get("package", ()))
    own = [n for n in nodes if n.pin.source == PROJECT]
    top = [n for n in own if dict(n.source).get("editable", dict(n.source).get("virtual")) == "."]
    roots = [Edge(n.pin.name, (), "", n.pin.version, n.source) for n in top or own]
    return Graph(nodes, (*roots, *_edges(manifest.get("requirements", ()))))


def _node(package: Mapping[str, Any], members: frozenset[str]) -> Node:
    marker = " or ".join(f"({m})" for m in package.get("resolution-markers", ()))
    files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
    hashes = [stated_hash(f["hash"], package["name"]) for f in files if "hash" in f]
    version, source = package.get("version", ""), _source(package, members)
    if not version and source:
        version = version_of_file(source)
    pin = make_pin(package["name"], version, hashes, marker=marker, source=source)
    extras = package.get("optional-dependencies", {})
    edges = {"": _edges(package.get("dependencies", ())), **{e: _edges(rows) for e, rows in extras.items()}}
    return Node(pin, tuple(sorted(package["source"].items())), edges)


def _source(package: Mapping[str, Any], members: frozenset[str]) -> str:
    source, name = package["source"], package["name"]
    if "git" in source:
        return checkout("git", source["git"], source["git"].rpartition("#")[2], name)
    if "url" in source:
        return public(source["url"]) or "archive"
    if "registry" in source:
        return ""
    kind = next((k for k in LOCAL_KINDS if k in source), None)
    if kind is None:
        raise NotALock(f"the source of {name} is of a kind that mlpack does not know")
    return PROJECT if name in members or source[kind] == "." else LOCAL_KINDS[kind]


def _edges(rows: Iterable[Mapping[str, Any]]) -> tuple[Edge, ...]:
    return tuple(
        Edge(
            row["name"],
            tuple(row.get("extra", row.get("extras", ()))),
            check_marker(row.get("marker", ""), row["name"]),
            row.get("version", ""),
            tuple(sorted(row.get("source", {}).items())),
        )
        for row in rows
    )


def reached(graph: Graph, markers: Mapping[str, str]) -> frozenset[Pin]:
    """The pins that an install without options puts into an environment with these markers: no extras, no groups, not
    the projects."""
    waiting, seen = list(graph.roots), set[tuple[int, str]]()
    by_name: dict[str, list[tuple[int, Node]]] = {}
    for number, node in enumerate(graph.nodes):
        by_name.setdefault(node.pin.name, []).append((number, node))
    while waiting:
        edge = waiting.pop()
        if not holds(edge.marker, markers):
            continue
        for number, node in by_name.get(edge.name, ()):
            if _meant(edge, node) and holds(node.pin.marker, markers):
                waiting += _unseen(number, node, edge.extras, seen)
    pins = (graph.nodes[number].pin for number, _ in seen)
    return frozenset(p for p in pins if p.source != PROJECT)


def _meant(edge: Edge, node: Node) -> bool:
    return edge.version in ("", node.pin.version) and edge.source in ((), node.source)


def _unseen(number: int, node: Node, extras: tuple[str, ...], seen: set[tuple[int, str]]) -> Iterator[Edge]:
    for extra in ("", *extras):
        if (number, extra) not in seen:
            seen.add((number, extra))
            yield from node.edges.get(extra, ())
