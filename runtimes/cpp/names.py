"""Makes C++ identifiers and literals from any text."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable

from mlpack_toolkit.converters.spec import Scalar

from .reserved import CLASSES, KEYWORDS, MACROS, TAKEN


def snake_case(text: str, fallback: str) -> str:
    """An identifier of lower-case ASCII letters, digits and single underscores; `fallback` where nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain)
    name = re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")
    if not name:
        return fallback
    if name[0].isdigit():
        name = f"{fallback.partition('_')[0]}_{name}"
    return f"{name}_" if name in KEYWORDS | MACROS else name


def unique_names(texts: Iterable[str], noun: str) -> list[str]:
    """One identifier per text, in order; a duplicate gets a number."""
    names: dict[str, None] = {}
    for position, text in enumerate(texts, 1):
        name = base = snake_case(text, f"{noun}_{position}")
        number = 2
        while name in names:
            name, number = f"{base.rstrip('_')}_{number}", number + 1
        names[name] = None
    return list(names)


def package_name(model: str) -> str:
    """The namespace, target and folder for a model's name: `penguins-sex` gives `penguins_sex`."""
    name = snake_case(model, "model")
    return f"{name.rstrip('_')}_model" if name in TAKEN or name.endswith("_") else name


def class_name(package: str) -> str:
    """The class for a package's name: `penguins_sex` gives `PenguinsSex`."""
    name = "".join(part[0].upper() + part[1:] for part in package.split("_"))
    return f"{name}Model" if name in CLASSES else name


def literal(text: str) -> str:
    """A string literal in UTF-8, with unprintable characters and sequences special to compilers escaped."""
    escaped = "".join(_escaped(c) for c in text)
    return '"' + re.sub(r"(?<=\?)\?", r"\\?", escaped) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode())


def text_literal(text: str) -> str:
    """A `std::string` expression; text with U+0000 needs its length."""
    return f"std::string({literal(text)}, {len(text.encode())})" if "\0" in text else literal(text)


def cmake(text: str) -> str:
    """A text for a quoted argument in CMake, with variables and list separators escaped."""
    return re.sub(r'([\\"$;])', r"\\\1", text)


def number(value: float) -> str:
    """A `double` that reads back as the same bits."""
    if math.isinf(value):
        return ("-" if value < 0 else "") + "std::numeric_limits<double>::infinity()"
    return "std::numeric_limits<double>::quiet_NaN()" if math.isnan(value) else repr(float(value))


def integer(value: int) -> str:
    """A `std::int64_t` expression; the smallest value has no literal of its own."""
    return "std::numeric_limits<std::int64_t>::min()" if value == -(2**63) else f"{int(value)}"


def scalar(value: Scalar, cpp_type: str) -> str:
    """A value as a literal of that type."""
    if cpp_type == "std::string":
        return text_literal(str(value))
    if cpp_type == "bool":
        return "true" if value else "false"
    return integer(int(value)) if cpp_type == "std::int64_t" else number(float(value))
