"""A reader of protobuf's text form, in which Caffe describes nets: a tree of fields, each with its line.

It knows no message: what a field means is the business of whoever asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Union

from ..spec import Unreadable

MOST_BYTES = 16 << 20
MOST_DEPTH = 32
MOST_TOKENS = 1 << 18
_TOKEN = re.compile(
    r"""[\s,;]+ | \#[^\n]* |
    (?P<string>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*') |
    (?P<word>[-+]?[A-Za-z0-9_.](?:[A-Za-z0-9_./]|(?<=[eE])[-+])*) |
    (?P<mark>[{}<>:\[\]])""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}
_CLOSING = {"{": "}", "<": ">", "[": "]"}


@dataclass(frozen=True)
class Scalar:
    """A number, a word or a text, as written. `quoted`: it is a text."""

    text: str
    line: int
    quoted: bool = False


@dataclass(frozen=True)
class Message:
    """Fields in order, each a name with a scalar or a message. `start`, `end`: its place in the text, name included."""

    line: int
    fields: list[tuple[str, Node]] = field(default_factory=list)
    start: int = 0
    end: int = 0

    def all(self, name: str) -> list[Node]:
        """The values of a field, in order."""
        return [value for key, value in self.fields if key == name]

    def messages(self, name: str) -> list[Message]:
        """The values of a field that holds messages."""
        found = self.all(name)
        for each in found:
            if not isinstance(each, Message):
                raise Unreadable(f"line {each.line}: {name} needs braces, {name} {{ ... }}")
        return [each for each in found if isinstance(each, Message)]

    def texts(self, name: str) -> list[str]:
        """The values of a field that holds texts or words."""
        return [self._scalar(name, each).text for each in self.all(name)]

    def text(self, name: str, default: str = "") -> str:
        """The value of a field that is there once at most."""
        found = self.texts(name)
        if len(found) > 1:
            raise Unreadable(f"line {self.line}: {name} is given {len(found)} times, and may be given once")
        return found[0] if found else default

    @staticmethod
    def _scalar(name: str, value: Node) -> Scalar:
        if isinstance(value, Message):
            raise Unreadable(f"line {value.line}: {name} is a value, not a message in braces")
        return value


Node = Union[Scalar, Message]


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int
    start: int
    end: int


def parse(content: bytes, name: str) -> Message:
    """The fields of a file. Raises `Unreadable` with the line for what is no text form."""
    if len(content) > MOST_BYTES:
        raise Unreadable(f"{name} has {len(content)} bytes, and the description of a net has {MOST_BYTES} at most")
    try:
        return _Parser(content.decode("utf-8")).whole()
    except UnicodeDecodeError as error:
        raise Unreadable(f"{name} is no text in UTF-8 (byte {error.start}): give the .prototxt of the net") from error
    except Unreadable as error:
        raise Unreadable(f"{name} cannot be read as a prototxt: {error}") from error


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = self._tokens(text)
        self.now = self._next()

    def _tokens(self, text: str) -> Iterator[_Token]:
        at, line, count = 0, 1, 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise Unreadable(f"line {line}: {_strange(text, at)}")
            if found.lastgroup:
                count += 1
                if count > MOST_TOKENS:
                    raise Unreadable(f"line {line}: there are more than {MOST_TOKENS} words, as no net has")
                yield _Token(found.lastgroup, found.group(), line, at, found.end())
            line += text.count("\n", at, found.end())
            at = found.end()
        yield _Token("end", "", line, at, at)

    def _next(self) -> _Token:
        return next(self.tokens, _Token("end", "", 0, 0, 0))

    def _take(self) -> _Token:
        token = self.now
        self.now = self._next()
        return token

    def whole(self) -> Message:
        found = Message(1)
        while self.now.kind != "end":
            found.fields.append(self._field(1))
        return found

    def _field(self, depth: int) -> tuple[str, Node]:
        name = self._take()
        if name.kind != "word" or not re.match(r"[A-Za-z_]\w*$", name.text):
            raise Unreadable(f"line {name.line}: {_shown(name)} is where the name of a field should be")
        colon = self.now.text == ":" and self.now.kind == "mark"
        if colon:
            self._take()
        if self.now.kind == "mark" and self.now.text in ("{", "<"):
            return name.text, self._message(name, depth)
        if not colon:
            raise Unreadable(f"line {self.now.line}: {_shown(self.now)} follows {name.text}; a colon or a brace should")
        return name.text, self._value(name.text)

    def _message(self, name: _Token, depth: int) -> Message:
        if depth > MOST_DEPTH:
            raise Unreadable(f"line {name.line}: {name.text} is nested more than {MOST_DEPTH} deep")
        closing, fields = _CLOSING[self._take().text], []
        while not (self.now.kind == "mark" and self.now.text == closing):
            if self.now.kind == "end":
                raise Unreadable(f"the brace of {name.text} in line {name.line} is never closed")
            fields.append(self._field(depth + 1))
        return Message(name.line, fields, name.start, self._take().end)

    def _value(self, name: str) -> Scalar:
        token = self._take()
        if token.text == "[" and token.kind == "mark":
            raise Unreadable(f"line {token.line}: write {name} once for each value, in place of a list in brackets")
        if token.kind == "string":
            parts = [token.text]
            while self.now.kind == "string":
                parts.append(self._take().text)
            return Scalar("".join(_unquoted(part, token.line) for part in parts), token.line, quoted=True)
        if token.kind != "word":
            raise Unreadable(f"line {token.line}: {_shown(token)} is where the value of {name} should be")
        return Scalar(token.text, token.line)


def _unquoted(text: str, line: int) -> str:
    def real(found: re.Match[str]) -> str:
        if found.group(1) not in _ESCAPES:
            raise Unreadable(f"line {line}: a text holds the escape \\{found.group(1)}, which no name needs")
        return _ESCAPES[found.group(1)]

    return re.sub(r"\\(.)", real, text[1:-1])


def _strange(text: str, at: int) -> str:
    if text[at] in "\"'":
        return "a text begins with a quote that its line never closes"
    return f"the character {text[at]!r} has no meaning here"


def _shown(token: _Token) -> str:
    return "the end of the file" if token.kind == "end" else repr(token.text[:40])
