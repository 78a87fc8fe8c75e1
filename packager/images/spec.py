"""What a kind of image is, and what it is made from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.spec import Need

from ..bundle.reader import Bundle
from ..errors import UsageError
from ._engine import Engine

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"[A-Za-z0-9.-]+(?::[0-9]+)?/"
_REFERENCE = re.compile(rf"((?:{_HOST})?{_PART}(?:/{_PART})*)(?::(\w[\w.-]{{0,127}}))?", re.ASCII)

_PINNED = re.compile(rf"(?:{_REFERENCE.pattern}@)?sha256:[0-9a-f]{{64}}", re.ASCII)
DEBIAN = "debian"
"""The base that is made of Debian's packages."""


def check_base(text: str) -> None:
    """Holds that a base can only be one: Debian's packages, or an image named by its digest; raises `UsageError`."""
    if text != DEBIAN and not _PINNED.fullmatch(text):
        raise UsageError(
            f"the base {text!r} may be another tomorrow: name its digest, like NAME@sha256:…, or say {DEBIAN}"
        )


@dataclass(frozen=True)
class Tag:
    """An image's name and its version, as container engines write them: `NAME:VERSION`."""

    name: str
    version: str

    @classmethod
    def read(cls, text: str) -> Tag:
        """The tag that a user wrote; without a version it is `latest`. Raises `UsageError`."""
        found = _REFERENCE.fullmatch(text)
        if found is None or len(text) > 255:
            raise UsageError(f"{text!r} is no name of an image: lower-case letters, digits and ._-/, then :VERSION")
        return cls(found[1], found[2] or "latest")

    @classmethod
    def of(cls, name: str, version: str) -> Tag:
        """The tag of a bundle, without what a tag cannot hold."""
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "model"
        return cls(plain, re.sub(r"[^A-Za-z0-9._-]", "-", version)[:128].lstrip(".-") or "latest")

    @property
    def title(self) -> str:
        """The last part of the name with the version, fit for a file's name."""
        return f"{self.name.rpartition('/')[2]}-{self.version}"

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


@dataclass(frozen=True)
class Request:
    """What an image is made of. `base`: what lies below the packages; `scratch`: a folder that will be removed."""

    bundle: Bundle
    tag: Tag
    base: str
    scratch: Path
    progress: Callable[[str], None]


def nothing() -> None:
    """Does nothing."""


@dataclass(frozen=True)
class Built:
    """An image. `image`: digest of its configuration, as engines know it; `unpacked`: bytes of all its files.

    `digest`: of its manifest, by which registries know it, and `archive`, the file that it lies in, of an image that
    needs no engine. `loaded(engine)`: the image's id in a container engine, for as long as it is asked there, without a
    name, so that the engine keeps those it has. `keep`: names an image that an engine made; `discard`: removes it.
    """

    image: str
    layers: tuple[Mapping[str, Any], ...]
    packages: Mapping[str, tuple[str, ...]]
    unpacked: int
    loaded: Callable[[Engine], AbstractContextManager[str]]
    digest: str | None = None
    archive: Path | None = None
    keep: Callable[[], None] = nothing
    discard: Callable[[], None] = nothing

    def to_json(self) -> dict[str, Any]:
        """What `--json` prints of it."""
        size = self.archive.stat().st_size if self.archive else None
        facts = {"image": self.image, "digest": self.digest, "bytes": size, "unpacked": self.unpacked}
        return {**facts, "layers": list(self.layers), "packages": dict(self.packages)}


@dataclass(frozen=True)
class Image:
    """A kind of image. `build` makes it; `archives`: it writes a file, else it leaves the image in an engine.

    `needs`: packages and tools that it is made with.
    """

    name: str
    build: Callable[[Request], Built]
    archives: bool = True
    needs: tuple[Need, ...] = ()
