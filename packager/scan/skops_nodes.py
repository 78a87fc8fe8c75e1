"""Checks each node of a skops file against the rules for pickles."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from mlpack_toolkit.converters._trust import rules
from mlpack_toolkit.converters._trust.rules import Refused

from .literals import BYTEARRAY, BYTES, FLOAT
from .machine import Machine, Trace, methods
from .reader import Reader
from .symbols import SYMBOLS
from .values import Fault, Global, Instance, Mapping, plain

Node = dict[str, Any]
_KEY_TYPES = frozenset(f"builtins.{name}" for name in ("str", "int", "float", "bool", "NoneType"))
_BITS = frozenset({"MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"})
_NUMBERS = frozenset({"numpy.ndarray", "numpy.matrix", "numpy.matrixlib.defmatrix.matrix"})
_OBJECTS = frozenset({"numpy.object_", "numpy.void", "numpy.record"})
_EXACT = {
    "MaskedArrayNode": ("numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"),
    "RandomStateNode": ("numpy.random.mtrand.RandomState",),
    "RandomGeneratorNode": ("numpy.random._generator.Generator",),
    "DTypeNode": ("numpy.dtype",),
    "SliceNode": ("builtins.slice",),
    "BytesNode": ("builtins.bytes",),
    "BytearrayNode": ("builtins.bytearray",),
}
_MADE = {
    "MaskedArrayNode": Instance(Global("numpy.ma", "MaskedArray"), "masked"),
    "RandomStateNode": Instance(Global("numpy.random.mtrand", "RandomState"), "random"),
    "RandomGeneratorNode": Instance(Global("numpy.random", "Generator"), "random"),
    "DTypeNode": Instance(Global("numpy", "dtype"), "dtype"),
    "SliceNode": plain("slice"),
    "BytesNode": BYTES,
    "BytearrayNode": BYTEARRAY,
}
_TREE = Global("sklearn.tree._tree", "Tree", "listed")
_PARTIAL = Global("functools", "partial", "listed")
_DEFAULTDICT = Global("collections", "defaultdict", "listed")
_BUNCHES = ("sklearn.utils._bunch.Bunch", "sklearn.utils.Bunch")


def check_nodes(schema: Node, trace: Trace) -> None:
    """Records forbidden actions in `trace`. Raises `Fault` for a node that skops cannot read."""
    try:
        _Nodes(trace).value(schema)
    except RecursionError as error:
        raise Fault("its schema nests too deep") from error
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise Fault("a node of its schema is not written in the way in which skops writes it") from error


class _Nothing:
    """An empty stream, as a schema has no bytes to read."""

    def read(self, size: int) -> bytes:
        return b""

    def skip(self, size: int) -> None: ...


class _Nodes:
    def __init__(self, trace: Trace) -> None:
        self.machine = Machine(Reader(_Nothing()), trace)
        self._seen: dict[Any, tuple[Node, Any]] = {}

    def value(self, node: Node) -> Any:
        """The symbol of the node's object. skops reuses the first node for every later one with the same `__id__`."""
        identifier = node.get("__id__")
        if identifier in self._seen:
            before, made = self._seen[identifier]
            if node["__loader__"] != "CachedNode" and node != before and _bare(node) != _bare(before):
                self.forbid("gives two things one identity")
            return made
        handler = _HANDLERS.get(node["__loader__"])
        made = handler(self, node) if handler else self._exact(node)
        if identifier is not None:
            self._seen[identifier] = (node, made)
        return made

    def forbid(self, reason: str) -> None:
        self.machine.forbid(Refused(reason))

    def symbol(self, node: Node) -> Global:
        """The symbol of the name in the node."""
        content = node.get("content")
        if node["__loader__"] == "FunctionNode" and isinstance(content, dict):
            node = {"__module__": content["module_path"], "__class__": content["function"]}
        return self.machine.symbol(node["__module__"], node["__class__"])

    def members(self, nodes: list[Node]) -> list[Any]:
        values = [self.value(node) for node in nodes]
        self.machine.stored(values)
        return values

    def _exact(self, node: Node) -> Any:
        loader, name = node["__loader__"], self.symbol(node)
        if name.use != "own" and name.dotted not in _EXACT.get(loader, ()):
            self.forbid(f"makes a {name.dotted} by {loader} of skops")
        for part in ("data", "mask", "bit_generator", "seed_seq"):
            if isinstance(node.get("content"), dict) and part in node["content"]:
                self.value(node["content"][part])
        return _MADE.get(loader) or Instance(name, "own" if name.use == "own" else "?")


def _bare(part: Any) -> Any:
    """A part of the schema without its inner identities and file names: skops writes the state of a shared object (a
    forest's `estimator` is its `estimator_` too) anew each time, with other ones, and reads the first."""
    if isinstance(part, dict):
        return {key: _bare(each) for key, each in part.items() if key not in ("__id__", "file")}
    return [_bare(each) for each in part] if isinstance(part, list) else part


def _json(nodes: _Nodes, node: Node) -> Any:
    try:
        value = json.loads(node["content"])
    except ValueError as error:
        raise Fault("a literal of its schema is not readable JSON") from error
    if isinstance(value, float):
        return FLOAT
    return value if value is None or isinstance(value, (str, int)) else plain(type(value).__name__)


def _dict(nodes: _Nodes, node: Node) -> Any:
    kinds = [nodes.symbol(kind) for kind in node["key_types"]["content"]]
    if any(k.dotted not in _KEY_TYPES and not k.dotted.startswith("numpy.") for k in kinds):
        nodes.forbid("has a dict whose keys are made by something else than a type of numbers or texts")
    if any(kind["__loader__"] != "TypeNode" for kind in node["key_types"]["content"]):
        nodes.forbid("has a dict whose keys are made by something else than a type")
    entries = dict(zip(node["content"], nodes.members(list(node["content"].values())), strict=True))
    name = nodes.symbol(node)
    if name.dotted in _BUNCHES:
        try:
            rules.check_attributes(entries, SYMBOLS, methods().__contains__)
        except Refused as refused:
            nodes.machine.forbid(refused)
        return Instance(name, "bunch")
    if name.dotted not in ("builtins.dict", "collections.OrderedDict") and name.use != "own":
        nodes.forbid(f"makes a {name.dotted} of a dict")
    made = nodes.machine.mapping()
    for key, value in entries.items():
        made.put(key, value)
    return made if name.dotted == "builtins.dict" else Instance(name, "mapping")


def _default_dict(nodes: _Nodes, node: Node) -> Any:
    nodes.value(node["content"]["main"])
    return nodes.machine.call(_DEFAULTDICT, (nodes.value(node["content"]["default_factory"]),))


def _sequence(*allowed: str) -> Callable[[_Nodes, Node], Any]:
    def handler(nodes: _Nodes, node: Node) -> Any:
        name, members = nodes.symbol(node), nodes.members(node["content"])
        if name.dotted not in allowed:
            if node["__loader__"] == "TupleNode":
                return nodes.machine.new(name, tuple(members))
            return nodes.machine.call(name, (nodes.machine.listing(members),))
        if name.name == "tuple":
            return nodes.machine.pack(members)
        if name.name == "list":
            return nodes.machine.listing(members)
        nodes.machine.hashed(members)
        return plain(name.name)

    return handler


def _object(nodes: _Nodes, node: Node) -> Any:
    made = nodes.machine.new(nodes.symbol(node), ())
    if node.get("content") is not None:
        _set(nodes, made, nodes.value(node["content"]))
    return made


def _set(nodes: _Nodes, made: Any, state: Any) -> None:
    empty = state is None or state == () or (type(state) is Mapping and not state.items and not state.opaque)
    if not empty:
        nodes.machine.build(made, state)


def _constructed(nodes: _Nodes, node: Node) -> Any:
    return nodes.machine.call(nodes.symbol(node), nodes.value(node["content"]))


def _reduced(nodes: _Nodes, node: Node) -> Any:
    attributes, args = nodes.value(node["content"]), nodes.value(node["__reduce__"]["args"])
    made = nodes.machine.call(_TREE if node["__loader__"] == "TreeNode" else nodes.symbol(node), args)
    _set(nodes, made, attributes)
    return made


def _array(nodes: _Nodes, node: Node) -> Any:
    name = nodes.symbol(node)
    scalar = name.use == "referred" and name.module == "numpy" and name.dotted not in _OBJECTS
    if name.dotted not in _NUMBERS and not scalar and name.use != "own":
        nodes.forbid(f"makes a {name.dotted} of an array")
    if node["type"] == "json":
        nodes.members(node["content"])
        nodes.value(node["shape"])
    return Instance(name, "scalar" if scalar else "array")


def _sparse(nodes: _Nodes, node: Node) -> Any:
    return Instance(nodes.symbol(node), "object")


def _name(nodes: _Nodes, node: Node) -> Any:
    return nodes.symbol(node)


def _partial(nodes: _Nodes, node: Node) -> Any:
    content = node["content"]
    state = tuple(nodes.value(content[part]) for part in ("func", "args", "kwds", "namespace"))
    made = nodes.machine.call(_PARTIAL, (state[0],))
    nodes.machine.build(made, state)
    return made


def _own(nodes: _Nodes, node: Node) -> Any:
    """The object of a name that is refused unless the user allows exactly that name."""
    for part in ("obj", "attrs"):
        content = node.get("content")
        if isinstance(content, dict) and isinstance(content.get(part), dict):
            nodes.value(content[part])
    return Instance(nodes.symbol(node), "own")


_HANDLERS: dict[Any, Callable[[_Nodes, Node], Any]] = {
    "JsonNode": _json,
    "DictNode": _dict,
    "DefaultDictNode": _default_dict,
    "ListNode": _sequence("builtins.list"),
    "SetNode": _sequence("builtins.set", "builtins.frozenset"),
    "TupleNode": _sequence("builtins.tuple"),
    "ObjectNode": _object,
    "ConstructorFromReduceNode": _constructed,
    "TreeNode": _reduced,
    "LossNode": _reduced,
    "NdArrayNode": _array,
    "SparseMatrixNode": _sparse,
    "FunctionNode": _name,
    "TypeNode": _name,
    "PartialNode": _partial,
    "MethodNode": _own,
    "OperatorFuncNode": _own,
}
