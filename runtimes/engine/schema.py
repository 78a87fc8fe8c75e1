"""The schema of the parts of a manifest that a server reads, and the checks that every schema here is built from.

Written by hand: the checks are short, they name the field in a sentence, and they import fast.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from mlpack_toolkit.converters.image import ORDERS, layout_of
from mlpack_toolkit.converters.spec import INTEGERS, KINDS, REALS, Cells, TensorSpec

Check = Callable[[Any, str], None]
"""Takes a value and the name of its field; raises `Fault`."""

GRAPH = "model/model.onnx"
"""The file of the reference variant."""
MOST_BYTES = 32 << 20
MOST_DEPTH = 32
MOST_TEXT = 100_000
MOST_NAME = 200
MOST_ITEMS = 1_000_000
MOST_DIM = 2**31 - 1
MOST_RANK = 32
MOST_PATH = 1024
MOST_PART = 255
LARGEST = 1.7976931348623157e308
DTYPES = (*REALS, *INTEGERS, "bool", "string")
TASKS = ("classifier", "regressor", "transformer", "clusterer", "outlier", "density", "graph")
NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
VERSION = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
SHA256 = r"[0-9a-f]{64}"


class Fault(ValueError):
    """A field that does not fit the schema; the message names it."""


def parse(raw: bytes, most: int = MOST_BYTES) -> Any:
    """Parses bounded JSON with unique keys, finite numbers and valid text only; raises `Fault`."""
    if len(raw) > most:
        raise Fault(f"it has {len(raw)} bytes, and at most {most} are read")
    try:
        plain = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise Fault("it is nested too deeply") from None
    except Fault:
        raise
    except ValueError as error:
        raise Fault(f"it is not JSON: {error}") from None
    _shallow(plain)
    return plain


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
        raise Fault(f"the key {shown(twice)} is given twice")
    return found


def _no_constant(word: str) -> float:
    raise Fault(f"it holds {word}, which is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Fault(f"it holds the number {text[:20]}, which is too large")
    return number


def _shallow(plain: Any) -> None:
    """Raises `Fault` where lists and objects nest too deeply, or a text has an unpaired surrogate."""
    level = [plain]
    for _ in range(MOST_DEPTH):
        below = [e for e in level if isinstance(e, (dict, list))]
        keys = [key for e in below if isinstance(e, dict) for key in e]
        for text in (*keys, *(e for e in level if isinstance(e, str))):
            if not text.isascii() and re.search("[\ud800-\udfff]", text):
                raise Fault("a text in it holds half a character")
        level = [inner for e in below for inner in (e.values() if isinstance(e, dict) else e)]
        if not level:
            return
    raise Fault(f"it is nested more than {MOST_DEPTH} levels deep")


def shown(value: Any) -> str:
    """A value as part of a sentence, shortened."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def wrong(value: Any, where: str, wanted: str) -> Fault:
    """The fault of a field with another value than it must have."""
    return Fault(f"{where} must be {wanted}, not {shown(value)}")


def text(most: int = MOST_TEXT, pattern: str = "", wanted: str = "", least: int = 0) -> Check:
    """A text; `pattern`: a regular expression for all of it, `wanted`: the same in words."""
    form = re.compile(pattern, re.ASCII)

    def check(value: Any, where: str) -> None:
        if type(value) is not str:
            raise wrong(value, where, "a text")
        if not least <= len(value) <= most:
            raise wrong(value, where, f"a text of {least} to {most} characters")
        if pattern and not form.fullmatch(value):
            raise wrong(value, where, wanted or f"of the form {pattern}")

    return check


def whole(least: int, most: int) -> Check:
    """A whole number between two others, both inclusive."""

    def check(value: Any, where: str) -> None:
        if type(value) is not int or not least <= value <= most:
            raise wrong(value, where, f"a whole number from {least} to {most}")

    return check


def number(least: float = -math.inf) -> Check:
    """A finite number."""

    def check(value: Any, where: str) -> None:
        if type(value) not in (int, float) or not abs(value) <= LARGEST or value < least:
            raise wrong(value, where, "a number" if least == -math.inf else f"a number of at least {least:g}")

    return check


def flag(value: Any, where: str) -> None:
    """True or false."""
    if type(value) is not bool:
        raise wrong(value, where, "true or false")


def anything(value: Any, where: str) -> None:
    """Any JSON value: `parse` has bounded it."""


def one_of(*words: str) -> Check:
    """One of a few words."""

    def check(value: Any, where: str) -> None:
        if type(value) is not str or value not in words:
            raise wrong(value, where, f"one of {', '.join(words)}")

    return check


def scalar(value: Any, where: str) -> None:
    """A text, a number or a flag."""
    if type(value) is not bool:
        (text() if type(value) is str else number())(value, where)


def maybe(check: Check) -> Check:
    """The same, or null."""
    return lambda value, where: None if value is None else check(value, where)


def listing(check: Check, most: int = MOST_ITEMS, least: int = 0) -> Check:
    """A list, each item of which is checked."""

    def whole_list(value: Any, where: str) -> None:
        if type(value) is not list or not least <= len(value) <= most:
            raise wrong(value, where, f"a list of {least} to {most} items")
        for i, item in enumerate(value):
            check(item, f"{where}[{i}]")

    return whole_list


def mapping(check: Check, key: Check | None = None) -> Check:
    """An object with any keys, each value of which is checked."""
    name = key or text(MOST_NAME)

    def whole_object(value: Any, where: str) -> None:
        if type(value) is not dict:
            raise wrong(value, where, "an object")
        for each, item in value.items():
            name(each, f"a key of {where}")
            check(item, f"{where}[{shown(each)}]")

    return whole_object


def record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None, closed: bool = False) -> Check:
    """An object with these fields; `closed`: with no others."""
    known = {**required, **(optional or {})}

    def whole_object(value: Any, where: str) -> None:
        stem = f"{where}." if where else ""
        if type(value) is not dict:
            raise wrong(value, where or "the whole", "an object")
        for name in required:
            if name not in value:
                raise Fault(f"{stem}{name} is missing")
        for name, item in value.items():
            if name in known:
                known[name](item, f"{stem}{name}")
            elif closed:
                raise Fault(f"{where} has a field {shown(name)}, which this mlpack does not know")

    return whole_object


def _dim(value: Any, where: str) -> None:
    (text(MOST_NAME, least=1) if type(value) is str else whole(0, MOST_DIM))(value, where)


_BOUND = maybe(number())
TENSOR: dict[str, Check] = {
    "name": text(MOST_TEXT),
    "dtype": one_of(*DTYPES),
    "shape": listing(_dim, MOST_RANK),
    "nullable": flag,
    "missing": maybe(text()),
    "limit": maybe(number(0)),
    "least": _BOUND,
    "most": _BOUND,
    "values": maybe(listing(scalar)),
    "columns": listing(text()),
    "frame_dtype": text(MOST_NAME),
    "kind": one_of("", *KINDS),
    "graph_name": text(),
    "image": one_of("", *ORDERS),
    "sparse": flag,
    "absent": flag,
}
"""The fields of a tensor, without the rules of its columns."""
_OWN = {f.name for f in (*fields(TensorSpec), *fields(Cells))} - {"cells"}
_FIELDS = {**dict.fromkeys(sorted(_OWN), anything), **TENSOR}
_NEEDED = ("name", "dtype", "shape")


def _needed(others: Mapping[str, Check]) -> Check:
    return record({n: _FIELDS[n] for n in _NEEDED}, {**_FIELDS, **others}, closed=True)


_column = _needed({"features": listing(anything, 0)})
_tensor = _needed({"features": listing(_column)})


def tensor(value: Any, where: str) -> None:
    """One input or output: its fields, and their consistency."""
    _tensor(value, where)
    _consistent(value, where)
    shape, features = value["shape"], value.get("features", [])
    if features and len(shape) < 2:
        raise Fault(f"{where}.features needs a shape of two dimensions, not {len(shape)}")
    for key in ("features", "columns"):
        count = len(value.get(key) or ())
        if count and len(shape) == 2 and isinstance(shape[1], int) and count != shape[1]:
            raise Fault(f"{where}.{key} has {count} items, and its shape says {shape[1]}")
    for i, feature in enumerate(features):
        _consistent(feature, f"{where}.features[{i}]")


def _consistent(plain: Mapping[str, Any], where: str) -> None:
    least, most, texts = plain.get("least"), plain.get("most"), plain["dtype"] == "string"
    if least is not None and most is not None and least > most:
        raise Fault(f"{where}.least is above {where}.most")
    if texts and not (least is None and most is None and plain.get("limit") is None):
        raise Fault(f"{where} holds text, for which there is no limit, least or most")
    if plain.get("image") and not (plain["dtype"] == "uint8" and layout_of(plain["shape"])):
        raise Fault(f"{where}.image needs uint8 in a shape with three channels, either first or last")
    if any((type(value) is str) != texts for value in plain.get("values") or ()):
        raise Fault(f"{where}.values must hold what a {plain['dtype']} can be")


def _tensors(value: Any, where: str) -> None:
    listing(tensor, least=1)(value, where)
    names = [each["name"] for each in value]
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise Fault(f"{where} has two tensors of the name {shown(twice)}")


_range = record({"name": text(MOST_NAME), "least": whole(0, 2**62)}, {"most": whole(0, 2**62)}, closed=True)
signature = record(
    {"task": one_of(*TASKS), "inputs": _tensors, "outputs": _tensors, "classes": listing(scalar)},
    {"ranges": listing(_range)},
    closed=True,
)
name = text(MOST_NAME, NAME, "letters, digits and . _ -, none of . and - at its ends")
version = text(MOST_NAME, VERSION, "letters, digits and . _ + -, like 1.0.0")
entry = record({"sha256": text(64, SHA256, "a sha256 in hex"), "size": whole(0, 2**62)}, closed=True)


def path(value: Any, where: str) -> None:
    """A path that stays below its folder on every system."""
    text(MOST_PATH, least=1)(value, where)
    parts = value.split("/")
    if {"", ".", ".."} & set(parts) or "\\" in value or re.match(r"[A-Za-z]:", value):
        raise Fault(f"{where} is {shown(value)}, a path that does not stay below the folder on every system")
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in value if not c.isprintable()):
        raise Fault(f"{where} is {shown(value)}, a path with a control character")
    if any(len(part.encode("utf-8", "replace")) > MOST_PART for part in parts):
        raise Fault(f"{where} is {shown(value)}, a path with a part of more than {MOST_PART} bytes")


files = mapping(entry, path)
