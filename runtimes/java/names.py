"""Makes Java names and literals: identifiers, classes, packages, Maven coordinates, strings, comments."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_KEYWORDS = """
abstract assert boolean break byte case catch char class const continue default do double else enum extends
final finally float for goto if implements import instanceof int interface long native new package private
protected public return short static strictfp super switch synchronized this throw throws transient try void
volatile while true false null var yield record sealed permits non when with _
"""
KEYWORDS = frozenset(_KEYWORDS.split())
_METHODS = "clone finalize getClass hashCode notify notifyAll toString wait"
OBJECT_METHODS = frozenset(_METHODS.split())
_CLASSES = """
ArrayList Arrays Boolean BundleTest Builder Class Collections Column Double Enum Error Exception Feed
GoldenCase GoldenTest Graph IllegalArgumentException IllegalStateException Inputs InputsTest Integer Iterable
Images ImagesTest
List Long Map Math ModelFileTest Number Object OrtSession Outputs Override Path Prediction Process Record
Replay Resource Row RowTest Runtime Set String System Tensor Text Thread Type Void WidthTest Integer Character
Byte Short Float SuppressWarnings Deprecated SafeVarargs Throwable RuntimeException Module Package
"""
CLASSES = frozenset(_CLASSES.split())


def identifiers(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """One camelCase identifier per name, in order, each unique and none of them in `taken`."""
    used = KEYWORDS | OBJECT_METHODS | frozenset(taken)
    found: list[str] = []
    for number, name in enumerate(names, 1):
        wish = _camel(name) or f"column{number}"
        wish = f"{wish}Value" if wish in used else wish
        choice, again = wish, 2
        while choice in found or choice in used:
            choice, again = f"{wish}{again}", again + 1
        found.append(choice)
    return found


def _camel(name: str) -> str:
    parts = words(name.lower() if name.isupper() else name)
    if not parts:
        return ""
    joined = parts[0][0].lower() + parts[0][1:] + "".join(w[0].upper() + w[1:] for w in parts[1:])
    return f"column{joined}" if joined[0].isdigit() else joined


def words(text: str) -> list[str]:
    """The runs of letters and digits that Java allows inside an identifier."""
    plain = unicodedata.normalize("NFC", text)
    return "".join(c if _is_letter(c) or c in "0123456789" else " " for c in plain).split()


def _is_letter(c: str) -> bool:
    """Whether every Java 17 compiler knows the letter: of the basic plane, from a stable Unicode block."""
    return ord(c) <= 0xFFDC and unicodedata.category(c) in ("Lu", "Ll", "Lt", "Lo")


def ascii_words(text: str) -> list[str]:
    """The runs of ASCII letters and digits, with accents removed."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.findall("[A-Za-z0-9]+", plain)


def class_name(name: str) -> str:
    """The class of a model: `penguins-sex` is `PenguinsSex`."""
    joined = "".join(w[0].upper() + w[1:] for w in ascii_words(name))
    if not joined or joined[0].isdigit():
        joined = f"Model{joined}"
    return f"{joined}Model" if joined in CLASSES else joined


def package_name(name: str) -> str:
    """The Java package of a model: `penguins-sex` is `model.penguinssex`."""
    joined = "".join(ascii_words(name)).lower() or "unnamed"
    return f"model.{'m' if joined[0].isdigit() or joined in KEYWORDS else ''}{joined}"


def artifact(name: str) -> str:
    """The Maven artifact of a model: `Penguins sex` is `penguins-sex`."""
    return "-".join(ascii_words(name)).lower() or "unnamed"


def maven_version(version: str) -> str:
    """The version in characters that Maven accepts."""
    return re.sub("[^A-Za-z0-9._-]+", "-", version).strip("-.") or "0"


def literal(text: str) -> str:
    """A Java string literal in ASCII."""
    return '"' + "".join(_escaped(unit) for unit in _utf16(text)) + '"'


def _utf16(text: str) -> Iterable[int]:
    raw = text.encode("utf-16-be", "surrogatepass")
    return (raw[i] << 8 | raw[i + 1] for i in range(0, len(raw), 2))


def _escaped(unit: int) -> str:
    if unit in (0x22, 0x5C):
        return "\\" + chr(unit)
    if unit < 0x20:
        return f"\\{unit:03o}"
    return chr(unit) if unit < 0x7F else f"\\u{unit:04x}"


def javadoc(text: str) -> str:
    """The text escaped for a Javadoc comment: no end of comment, no markup, no Unicode escape."""
    return "".join(c if c.isalnum() or c in " _-.,:;()[]+=!?%'" else f"&#{ord(c)};" for c in text if c.isprintable())


def markdown(text: str) -> str:
    """The text escaped for a line of Markdown: no markup, no end of line, no change of reading direction."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return re.sub(r"([\\`*_<>\[\]#|&])", r"\\\1", plain)


def xml(text: str) -> str:
    """The text escaped for an XML element."""
    plain = "".join(c for c in text if c.isprintable())
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
