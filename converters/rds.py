"""Reads R's serialisation format without R: what `saveRDS` and `save` write, in the binary XDR form.

Reading executes nothing: promises, closures and byte code are returned as items like any other.
Grammar: "R Internals", section 1.8, and `src/main/serialize.c`.
"""

from __future__ import annotations

import bz2
import lzma
import os
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    import numpy as np

NA_INTEGER = -(2**31)
_SYMBOL, _PAIRS, _CLOSURE, _ENVIRONMENT, _PROMISE, _CALL = 1, 2, 3, 4, 5, 6
_SPECIAL, _BUILTIN, _CHAR, _LOGICAL, _INTEGER, _DOUBLE, _COMPLEX, _TEXT, _DOTS = 7, 8, 9, 10, 13, 14, 15, 16, 17
_LIST, _EXPRESSION, _BYTE_CODE, _POINTER, _WEAK, _RAW, _S4 = 19, 20, 21, 22, 23, 24, 25
_ALTREP, _ATTR_PAIRS, _ATTR_CALL, _REP_REF, _REP_DEF = 238, 239, 240, 243, 244
_PACKAGE, _NAMESPACE, _PERSISTENT, _REFERENCE = 248, 249, 247, 255
_SINGLES = {254: "null", 253: "global", 252: "unbound", 251: "missing", 250: "base", 242: "empty", 241: "base"}
_KINDS = {
    _SYMBOL: "symbol",
    _PAIRS: "pairs",
    _CLOSURE: "closure",
    _ENVIRONMENT: "environment",
    _PROMISE: "promise",
    _CALL: "call",
    _DOTS: "pairs",
    _LOGICAL: "logical",
    _INTEGER: "integer",
    _DOUBLE: "double",
    _COMPLEX: "complex",
    _TEXT: "text",
    _LIST: "list",
    _EXPRESSION: "list",
    _RAW: "raw",
    _S4: "s4",
}
_MOST_BYTES = min(2**33, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4)
"""Limit of a file's decompressed size, and of the memory that its values take in this process, in bytes."""
_ITEM_BYTES = 256


class Fault(ValueError):
    """The bytes are not in R's format, or are damaged; the message says what is wrong."""


@dataclass
class Item:
    """One R value. `value`: an array of numbers, a list of strings (None: NA) or of items, or a name."""

    kind: str
    value: Any = None
    attributes: dict[str, Item] = field(default_factory=dict)

    def text(self, name: str) -> list[str]:
        """Returns the strings of a text attribute, or an empty list where it is absent."""
        found = self.attributes.get(name)
        return [v for v in found.value if v is not None] if found is not None and found.kind == "text" else []

    def names(self) -> list[str]:
        """Returns the names of a list's items or a vector's elements."""
        found = self.attributes.get("names")
        return ["" if v is None else v for v in found.value] if found is not None and found.kind == "text" else []

    def items(self) -> dict[str, Item]:
        """Returns the items of a list, a pair list or an S4 object, by name."""
        if self.kind == "s4":
            return self.attributes
        if self.kind == "pairs":
            return {tag: item for tag, item in self.value if tag}
        return dict(zip(self.names(), self.value)) if self.kind == "list" else {}


def is_rds(head: bytes) -> bool:
    """Returns whether a file that begins with these bytes may be in R's format, compressed or not."""
    try:
        start = _unpacked(head, most=64, whole=False)
    except (Fault, OSError, EOFError, zlib.error, lzma.LZMAError):
        return False
    return _after_magic(start).startswith(b"X\n")


def _after_magic(raw: bytes) -> bytes:
    """Returns the bytes after the first line of a file that `save` wrote."""
    return raw[5:] if raw[:5] in (b"RDX2\n", b"RDX3\n") else raw


def _unpacked(raw: bytes, most: int = _MOST_BYTES, whole: bool = True) -> bytes:
    """Returns the decompressed bytes (gzip, bzip2, xz or none); raises `Fault` where there are more than `most`."""
    if raw[:2] == b"\x1f\x8b":
        out = zlib.decompressobj(31).decompress(raw, most)
    elif raw[:3] == b"BZh":
        out = bz2.BZ2Decompressor().decompress(raw, most)
    elif raw[:6] == b"\xfd7zXZ\0":
        out = lzma.LZMADecompressor().decompress(raw, most)
    else:
        return raw
    if whole and len(out) >= most:
        raise Fault(f"it decompresses to more than {most} bytes")
    return out


@dataclass(frozen=True)
class File:
    """`root`: the object; for a file that `save` wrote, a pair list of objects by name. `version`: of the R that wrote
    the file. `promises`: the number of unevaluated promises in it."""

    root: Item
    version: str
    workspace: bool
    promises: int


def read(raw: bytes) -> File:
    """Returns the content of a file; raises `Fault` where it is not in R's format."""
    try:
        plain = _unpacked(raw)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise Fault(f"its compression is damaged ({error})") from error
    reader = _Reader(_after_magic(plain))
    try:
        root = reader.read()
    except RecursionError as error:
        raise Fault("it is nested too deeply") from error
    except Fault:
        raise
    except (struct.error, LookupError, TypeError, ValueError, AttributeError) as error:  # a shape that R never writes
        raise Fault(f"it is damaged at byte {reader.at} ({error})") from error
    return File(root, reader.version, plain[:4] in (b"RDX2", b"RDX3"), reader.promises)


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self.raw, self.at, self.promises = raw, 0, 0
        self.left = _MOST_BYTES
        self.references: list[Item] = []
        if not raw.startswith(b"X\n"):
            raise Fault("it is not in R's binary form")
        self.at = 2
        form, writer, _ = (self.integer() for _ in range(3))
        if form not in (2, 3):
            raise Fault(f"it has format version {form}; only 2 and 3 can be read")
        self.version = f"{writer >> 16}.{writer >> 8 & 255}.{writer & 255}"
        if form == 3:
            self.take(self.integer())

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.raw):
            raise Fault("it is truncated")
        self.at += count
        return self.raw[self.at - count : self.at]

    def charge(self, count: float) -> None:
        """Accounts for memory that a few bytes of the file can request."""
        self.left -= int(count)
        if self.left < 0:
            raise Fault(f"its values need more than {_MOST_BYTES} bytes of memory")

    def integer(self) -> int:
        found: int = struct.unpack(">i", self.take(4))[0]
        return found

    def length(self) -> int:
        count = self.integer()
        return (self.integer() << 32) + self.integer() if count == -1 else count

    def read(self) -> Item:
        return self._item(self.integer())

    def _item(self, flags: int) -> Item:
        kind, has_attributes, has_tag = flags & 255, bool(flags & 512), bool(flags & 1024)
        self.charge(_ITEM_BYTES if kind != _CHAR else 0)
        if kind in _SINGLES:
            return Item(_SINGLES[kind])
        if kind in (_PAIRS, _CALL, _CLOSURE, _PROMISE, _DOTS):
            return self._pairs(kind, has_attributes, has_tag)
        special = _SPECIALS.get(kind)
        if special is not None:
            return special(self, flags)
        found = Item(_KINDS.get(kind, ""), self._vector(kind))
        if has_attributes:
            found.attributes = self._attributes()
        return found

    def _pairs(self, kind: int, has_attributes: bool, has_tag: bool) -> Item:
        """Reads a pair list; the last cell of a closure or a promise is not a pair."""
        if kind == _PROMISE:
            self.promises += 1
        cells: list[tuple[str, Item]] = []
        attributes: dict[str, Item] = {}
        first = _KINDS[kind]
        while True:
            if has_attributes:
                attributes = {**attributes, **self._attributes()}
            tag = self.read() if has_tag else None
            name = tag.value if tag is not None and tag.kind == "symbol" else ""
            cells.append((name, self.read()))
            flags = self.integer()
            kind, has_attributes, has_tag = flags & 255, bool(flags & 512), bool(flags & 1024)
            if first in ("closure", "promise") or kind not in (_PAIRS, _CALL):
                end = self._item(flags)
                if end.kind != "null":
                    cells.append(("", end))
                return Item(first, cells, attributes)

    def _attributes(self) -> dict[str, Item]:
        found = self.read()
        return found.items() if found.kind == "pairs" else {}

    def _vector(self, kind: int) -> Any:
        import numpy as np

        if kind in (_LIST, _EXPRESSION):
            return [self.read() for _ in range(self._bounded(4))]
        if kind == _TEXT:
            return [self._cell() for _ in range(self._bounded(4))]
        sizes = {_LOGICAL: ">i4", _INTEGER: ">i4", _DOUBLE: ">f8", _COMPLEX: ">c16", _RAW: "u1"}
        if kind not in sizes:
            if kind == _S4:
                return None
            raise Fault(f"it contains a value of an unknown type ({kind})")
        dtype = np.dtype(sizes[kind])
        count = self._bounded(dtype.itemsize)
        self.charge(2 * count * dtype.itemsize)
        raw = self.take(count * dtype.itemsize)
        return np.frombuffer(raw, dtype).astype(dtype.newbyteorder("="))

    def _cell(self) -> Any:
        """Reads one string of a vector; None for NA."""
        found = self.read()
        if found.kind != "char":
            raise Fault("a text vector contains something that is not text")
        self.charge(64)
        return found.value

    def _bounded(self, least: int) -> int:
        """Reads a length, checked against the bytes left in the file."""
        count = self.length()
        if count < 0 or count * least > len(self.raw) - self.at:
            raise Fault("it is truncated")
        return count

    def _symbol(self, flags: int) -> Item:
        found = Item("symbol", self.read().value)
        self.references.append(found)
        return found

    def _char(self, flags: int) -> Item:
        count = self.integer()
        if count == -1:
            return Item("char", None)
        self.charge(count)
        return Item("char", self.take(count).decode("latin-1" if flags >> 12 & 4 else "utf-8", "surrogateescape"))

    def _environment(self, flags: int) -> Item:
        self.integer()
        found = Item("environment", [])
        self.references.append(found)
        found.value = [self.read() for _ in range(4)]
        return found

    def _named_environment(self, flags: int) -> Item:
        self.integer()
        names = [self.read().value for _ in range(self._bounded(4))]
        found = Item("namespace", names[0] if names else "")
        self.references.append(found)
        return found

    def _reference(self, flags: int) -> Item:
        return self.references[(flags >> 8 or self.integer()) - 1]

    def _builtin(self, flags: int) -> Item:
        return Item("builtin", self.take(self.integer()).decode())

    def _pointer(self, flags: int) -> Item:
        found = Item("pointer")
        self.references.append(found)
        self.read(), self.read()
        if flags & 512:
            found.attributes = self._attributes()
        return found

    def _weak(self, flags: int) -> Item:
        found = Item("pointer")
        self.references.append(found)
        if flags & 512:
            found.attributes = self._attributes()
        return found

    def _compact(self, flags: int) -> Item:
        """Returns a vector that R stores in a compact form (ALTREP) as the ordinary vector."""
        import numpy as np

        info, state, attributes = self.read(), self.read(), self.read()
        form = info.value[0][1].value
        if form in ("compact_intseq", "compact_realseq"):
            count, start, step = state.value
            if not 0 <= count < 2**53:
                raise Fault(f"it contains a sequence of {count:g} numbers")
            self.charge(24 * count)
            numbers = start + step * np.arange(int(count))
            whole = form == "compact_intseq"
            found = Item("integer" if whole else "double", numbers.astype(np.int32) if whole else numbers)
        elif form == "deferred_string":
            numbers = state.value[0][1]
            self.charge(128 * len(numbers.value))
            found = Item("text", _as_text(numbers))
        elif form.startswith("wrap_"):
            found = state.value[0] if state.kind == "list" else state.value[0][1]
        else:
            raise Fault(f"it contains a value in the unknown form {form!r}")
        return Item(found.kind, found.value, attributes.items() if attributes.kind == "pairs" else found.attributes)

    def _byte_code(self, flags: int) -> Item:
        self.integer()  # the number of its shared parts
        self._code()
        if flags & 512:
            self._attributes()
        return Item("byte code")

    def _code(self) -> None:
        self.read()
        for _ in range(self._bounded(4)):
            kind = self.integer()
            if kind == _BYTE_CODE:
                self._code()
            elif kind in (_CALL, _PAIRS, _REP_DEF, _REP_REF, _ATTR_CALL, _ATTR_PAIRS):
                self._code_pairs(kind)
            else:
                self.read()

    def _code_pairs(self, kind: int) -> None:
        while True:
            if kind == _REP_REF:
                self.integer()
                return
            if kind == _REP_DEF:
                self.integer()
                kind = self.integer()
            if kind not in (_CALL, _PAIRS, _ATTR_CALL, _ATTR_PAIRS):
                self.read()
                return
            if kind in (_ATTR_CALL, _ATTR_PAIRS):
                self.read()
            self.read()
            self._code_pairs(self.integer())
            kind = self.integer()


_SPECIALS = {
    _SYMBOL: _Reader._symbol,
    _CHAR: _Reader._char,
    _ENVIRONMENT: _Reader._environment,
    _NAMESPACE: _Reader._named_environment,
    _PACKAGE: _Reader._named_environment,
    _PERSISTENT: _Reader._named_environment,
    _REFERENCE: _Reader._reference,
    _SPECIAL: _Reader._builtin,
    _BUILTIN: _Reader._builtin,
    _POINTER: _Reader._pointer,
    _WEAK: _Reader._weak,
    _ALTREP: _Reader._compact,
    _BYTE_CODE: _Reader._byte_code,
}


def _as_text(item: Item) -> list[str | None]:
    """Returns the strings that R would print for numbers; `deferred_string` stores the numbers."""
    if item.kind == "integer":
        return [None if v == NA_INTEGER else str(v) for v in item.value.tolist()]
    return [f"{v:.15g}" for v in item.value.tolist()]


Plain = Union[None, "np.ndarray[Any, Any]", list[Any], dict[str, Any]]


def plain(item: Item) -> Plain:
    """Converts an item to Python values: NULL to None, numbers to arrays (with their dimensions; integers and logicals
    as `int64`), text to lists of `str` (None: NA), a named list to a dictionary, any other list to a list."""
    import numpy as np

    if item.kind == "null":
        return None
    if item.kind == "list":
        names, values = item.names(), [plain(each) for each in item.value]
        return dict(zip(names, values)) if names else values
    if item.kind == "text":
        return list(item.value)
    if item.kind in ("double", "integer", "logical"):
        array = np.asarray(item.value, np.float64 if item.kind == "double" else np.int64)
        dim = item.attributes.get("dim")
        return array if dim is None else array.reshape([int(d) for d in dim.value], order="F")
    raise Fault(f"a value of type {item.kind!r} was found where numbers, text or lists are expected")
